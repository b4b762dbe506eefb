"""Work in processes of its own."""

from home_tf.processes.worker_processes import WorkerProcesses as WorkerProcesses
