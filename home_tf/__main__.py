"""The program `home-tf`: the commands of the library and of the laboratory."""

from typing import TYPE_CHECKING, NoReturn

from home_tf.cli.run_command import run_command
from home_tf.extras import extra

if TYPE_CHECKING:
    import typer


def make_app() -> "typer.Typer":
    """Builds the command-line app.

    Raises:
        HomeError: If what the command line needs is not installed.
    """
    with extra("pipeline"):
        import typer

        from home_tf.cli.data_service import data_service
        from home_tf.cli.describe import describe
        from home_tf.cli.diagnose import diagnose
        from home_tf.cli.evaluate import evaluate
        from home_tf.cli.export import export
        from home_tf.cli.init import init
        from home_tf.cli.launch import launch
        from home_tf.cli.predict import predict
        from home_tf.cli.prepare import prepare
        from home_tf.cli.train import train
        from home_tf.cli.tune import tune
        from home_tf.lab.cli.bench import bench_app
        from home_tf.lab.cli.compare import compare
        from home_tf.lab.cli.generate import generate_app
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Train, measure and export HoME, a multi-task ranking model.",
    )
    commands = (
        init,
        prepare,
        describe,
        train,
        launch,
        data_service,
        evaluate,
        diagnose,
        export,
        predict,
        tune,
        compare,
    )
    for command in commands:
        app.command()(command)
    app.add_typer(generate_app, name="generate")
    app.add_typer(bench_app, name="bench")
    return app


def main() -> NoReturn:
    """The entry point of `home-tf`."""
    run_command(lambda: make_app()(prog_name="home-tf"))


if __name__ == "__main__":
    main()
