"""The commands of `optlab`, and what they do with errors and Ctrl-C."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from keras_optlab._version import __version__
from keras_optlab.cli import console
from keras_optlab.cli.compare import compare, report
from keras_optlab.cli.diagnose import diagnose
from keras_optlab.cli.doctor import doctor
from keras_optlab.cli.find_rate import find_rate
from keras_optlab.cli.listing import list_names
from keras_optlab.cli.loading import BACKENDS
from keras_optlab.cli.paths import paths
from keras_optlab.cli.plot import plot
from keras_optlab.cli.show import show
from keras_optlab.cli.train import train
from keras_optlab.cli.tune import recommend, tune
from keras_optlab.cli.verify import verify

WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130  # exit codes
PANELS = {
    "Look up": {"list": list_names, "show": show, "plot": plot, "doctor": doctor},
    "Train": {"train": train, "find-rate": find_rate, "diagnose": diagnose},
    "Find the best optimizer": {
        "compare": compare,
        "tune": tune,
        "recommend": recommend,
        "report": report,
    },
    "Study optimizers": {"paths": paths, "verify": verify},
}
EXAMPLE = (
    "Try: optlab compare mnist-mlp --optimizers sgd,adam,muon --trials 6 --seeds 3"
)


class Commands(TyperGroup):
    """The commands; an error that a user can mend is printed without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was given."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            console.errors.print("Stopped.")
            raise typer.Exit(INTERRUPTED) from None
        except (ValueError, TypeError, ImportError, OSError, RuntimeError) as error:
            if ctx.params["traceback"]:
                raise
            console.complain(_explained(error))
            wrong = isinstance(error, ValueError | TypeError)
            raise typer.Exit(WRONG_USE if wrong else FAILED) from error


def _explained(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name in BACKENDS:
        return (
            f"Keras is to compute with {error.name}, which is not installed. "
            f"Run: pip install {error.name}\nOr use another backend: --backend jax"
        )
    return str(error) or type(error).__name__


app = typer.Typer(
    cls=Commands,
    help="Optimizers for Keras: look them up, train, tune and compare them.",
    epilog=EXAMPLE,
    no_args_is_help=True,
    rich_markup_mode=None if console.is_plain() or console.is_narrow() else "rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        console.out.print(f"keras-optlab {__version__}")
        raise typer.Exit


@app.callback()
def before_all(
    traceback: Annotated[
        bool,
        typer.Option(
            "--traceback",
            help="Show where an error comes from. E.g. optlab --traceback train ...",
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version. E.g. optlab --version",
        ),
    ] = False,
) -> None:
    """Optimizers for Keras: look them up, train, tune and compare them."""
    console.prepare()


for _panel, _commands in PANELS.items():
    for _name, _function in _commands.items():
        text = inspect.cleandoc(_function.__doc__ or "")
        about, _, examples = text.partition("\n\nExamples:\n")
        paragraphs = [" ".join(part.split()) for part in about.split("\n\n")]
        app.command(
            _name,
            help="\n\n".join(paragraphs),
            epilog="\n\n".join(["Examples:", *examples.splitlines()]),
            rich_help_panel=_panel,
        )(_function)
