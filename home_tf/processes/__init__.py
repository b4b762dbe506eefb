"""Running work in separate processes."""

from home_tf.processes.worker_processes import WorkerProcesses as WorkerProcesses
