import pytest
from rich.cells import cell_len

from keras_optlab import callbacks, lab, optimizers, schedules
from keras_optlab.cli import console, names
from keras_optlab.cli.plot import read_schedule


def test_all_optimizers_are_listed_with_family_and_memory(optlab):
    output = optlab("list", "optimizers").output
    lines = {line.split()[0]: line for line in output.splitlines()[1:]}
    for name in [*optimizers.names(), *optimizers.wrappers()]:
        assert optimizers.info(name).family in lines[name]
    assert " 8 " in lines["adam"]


def test_optimizers_are_filtered_by_name_and_family(optlab):
    output = optlab("list", "optimizers", "*sgd*", "--family", "schedule").output
    listed = [line.split()[0] for line in output.splitlines()[1:]]
    assert listed == ["schedulefreesgd"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["optimizer", "adamv"], "'adam"),
        (["optimisers"], "optimizers"),
        (["optimizers", "--family", "sgin"], "sign"),
        (["schedules", "--family", "sign"], "only optimizers"),
        (["problems", "mnist"], "mnist-mlp"),
    ],
)
def test_what_is_not_there_is_answered_by_the_nearest(optlab, arguments, hint):
    assert hint in optlab("list", *arguments, code=2).output


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("schedules", {"OneCycle", "Cosine"}),
        ("callbacks", {"EarlyStopping", "TensorBoard"}),
        ("problems", {"mnist-mlp", "rosenbrock"}),
    ],
)
def test_other_kinds_are_listed(optlab, kind, known):
    output = optlab("list", kind).output
    assert known <= {line.split()[0] for line in output.splitlines() if line}


def every_name():
    yield from (*names.schedules(), *names.callbacks(), *lab.problems.names())
    yield from (*optimizers.names(), *optimizers.wrappers())


@pytest.fixture
def fits(optlab, screen, monkeypatch):
    """Assert that what is shown of names fits, but for code to copy."""

    def check(width, shown):
        read = screen(width)
        monkeypatch.setattr("keras_optlab.cli.show.code", lambda *_: None)
        for name in shown:
            optlab("show", name)
        longest = max(read().splitlines(), key=cell_len)
        assert cell_len(longest) <= width, longest

    return check


def test_what_is_shown_fits_a_narrow_terminal(fits):
    shown = ["soap", "ema", "optimizer", "onecycle", "resume", "mnist-mlp"]
    fits(60, shown)


@pytest.mark.every
@pytest.mark.parametrize("width", [100, 60])
def test_everything_fits_a_terminal(fits, width):
    fits(width, every_name())


def test_all_about_an_optimizer_is_shown(optlab):
    output = optlab("show", "AdamW").output
    info = optimizers.info("adamw")
    for text in (
        "θₜ = θₜ₋₁ − ηλθₜ₋₁ − η m̂ₜ / (√v̂ₜ + ε)",
        "https://arxiv.org/abs/1711.05101",
        "0.004",
        "8 bytes",
        "one-cycle",
        *info.tuning.use_when.split(),
        *info.hyperparameters,
    ):
        assert text in output
    assert "the paper and torch have 1e-8" in " ".join(output.split())  # as in Adam


def test_implementations_that_differ_are_named(optlab):
    assert "optax.adan: 1 - b2 in place of b2" in optlab("show", "adan").output


@pytest.mark.parametrize("spelled", ["one-cycle", "ONE_CYCLE", "onecycle"])
def test_names_are_found_however_they_are_spelled(optlab, spelled):
    assert optlab("show", spelled).output.startswith("OneCycle")


def test_columns_are_left_out_where_there_is_no_room(screen):
    read = screen(40)
    columns = [console.Column("name"), console.Column("words", wraps=True)]
    columns += [console.Column("a" * 20, rank=1)]
    console.show_table(columns, [["x" * 15, "several words in here", "y" * 20]])
    assert "y" * 20 not in read()
    assert "A wider terminal also shows" in read()
    assert max(map(len, read().splitlines())) <= 40


@pytest.mark.parametrize("name", names.schedules())
def test_each_schedule_can_be_drawn_by_its_name(name):
    made = read_schedule(name, names.schedules())
    assert isinstance(made, getattr(schedules, name))
    assert made.values(1000).max() > 0


def test_a_schedule_is_drawn_in_the_terminal_and_in_a_file(optlab, tmp_path):
    call = "warmup(cosine(1e-3), steps=0.1)"
    output = optlab("plot", "one-cycle", call, "--steps", "50").output
    assert "onecycle.png" in output
    assert "OneCycle(peak=0.001" in output
    assert (tmp_path / "onecycle.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        ("onecylce", "'OneCycle'"),
        ("cosine(1e-3", "expected a schedule like"),
        ("cosine(1e-3, steps=open('x'))", "no schedule of this name"),
        ("cosine(lr=1)", "initial"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused(optlab, call, hint):
    assert hint in optlab("plot", call, code=2).output


def test_classes_that_are_bases_are_not_listed():
    assert callbacks.StepCallback.__name__ not in names.callbacks()
