"""The report of a study, read back as a page."""

import json
import re

import pytest

from keras_optlab.lab import Comparison
from keras_optlab.lab.report.write import TEMPLATES
from tests.lab.report.pages import Page
from tests.lab.synthetic import OPTIMIZERS, write_study

FEW = {"optimizers": ("sgd", "adamw", "muon"), "trials": 12}


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The page of a study of 7 optimizers with 12 trials each."""
    comparison = write_study(tmp_path_factory.mktemp("full"))
    path = comparison.report()
    assert path == comparison.study.folder / "report.html"
    return comparison, Page(path.read_text())


def page_of(folder, **study):
    return Page(write_study(folder, **study).report().read_text())


def test_the_first_words_say_who_won_and_by_how_much(full):
    comparison, page = full
    judgement = comparison.judge()
    gap = judgement.verdict("muon", judgement.ranking[1].label)
    answer = page.text("p", class_="answer")
    assert judgement.winner == "muon"
    assert answer.startswith("muon is better than all 6 others: it reaches accuracy")
    assert f"after {judgement.ranking[0].mean:.3g} updates" in answer
    assert f"{1 - gap.effect:.0%} fewer than {gap.second}, the next best" in answer
    assert f"({1 - gap.high:.0%} to {1 - gap.low:.0%})" in answer


def test_the_table_has_the_verdict_in_its_second_column(full):
    comparison, page = full
    heads = [e["text"] for e in page.all("th", scope="col")[:9]]
    assert heads[:3] == ["optimizer", "verdict by updates", "updates to accuracy 0.98"]
    rows = [e["text"] for e in page.all("th", scope="row")[: len(OPTIMIZERS)]]
    ranking = comparison.judge().ranking
    assert rows == [f"{s.place} {s.label}" for s in ranking]
    cells = [e for e in page.all("td")[: 8 * len(ranking)]]
    assert [c["text"] for c in cells[::8]] == [
        "better than all others",
        *["worse than muon"] * 6,
    ]
    means = [float(c["attrs"]["data-v"]) for c in cells[1::8]]
    assert means == pytest.approx([s.mean for s in ranking])


def test_every_section_is_there(full):
    _, page = full
    headings = [e["text"] for e in page.all("h2")]
    assert headings == [
        "By seconds",
        "By the final value",
        "Time to accuracy 0.98",
        "Curves",
        "Was the rate tuned?",
        "Performance profiles",
        "Time and memory",
        "Settings to paste",
        "How far this goes",
    ]


def test_nothing_is_loaded_and_the_file_is_small(full):
    _, page = full
    assert not re.search(r"\b(src|href)=(?!\"#)|@import|url\(|<link", page.source)
    assert "http" not in page.source.replace("http-equiv", "")
    assert len(page.source) < 300_000
    assert len((TEMPLATES / "script.js").read_text().splitlines()) <= 10


def test_charts_have_a_title_a_description_and_their_numbers(full):
    _, page = full
    charts = page.all("svg")
    assert len(charts) == len(page.all("figure")) == 19
    ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    for chart in charts:
        attrs = chart["attrs"]
        assert attrs["role"] == "img"
        assert attrs["viewbox"].startswith("0 0 360 ")
        assert attrs["aria-labelledby"] in ids
        assert attrs["aria-describedby"] in ids
    assert len([t for t in page.all("table") if "figure" in t["above"]]) == 19


def test_tables_scroll_in_regions_that_the_keyboard_reaches(full):
    _, page = full
    regions = page.all("div", class_="scroll", tabindex="0", role="region")
    assert len(regions) == len(page.all("table"))
    assert all(r["attrs"]["aria-label"] for r in regions)
    heads = [e for e in page.all("button") if e["above"][-1] == "th"]
    assert len(heads) > 20
    assert "aria-sort" in (TEMPLATES / "script.js").read_text()


def test_the_best_five_have_colours_and_the_rest_are_grey(full):
    _, page = full
    boxes = [e["attrs"]["class"] for e in page.all("label")]
    assert boxes == ["c0", "c1", "c2", "c3", "c4", "rest", "rest"]


def test_the_settings_can_be_pasted(full):
    comparison, page = full
    codes = [e["text"] for e in page.all("code")]
    assert len(codes) == len(OPTIMIZERS)
    names = {}
    exec(codes[0], names)
    assert type(names["optimizer"]).__name__ == "Muon"
    assert comparison.code("muon") in codes[0]
    assert "# For 469 updates of batch 128: 1.2 epochs of 50,000 rows." in codes[0]


def test_a_study_without_final_runs_shows_its_search(tmp_path):
    page = page_of(tmp_path, **FEW, stop_after=6)
    assert page.text("p", class_="answer") == (
        "No verdict yet: the study is still searching the settings."
    )
    assert page.text("p", class_="banner") == (
        "This study is not finished: 6 trials done; final runs of sgd, adamw and muon "
        "are missing. Run it again with the same arguments to go on."
    )
    headings = [e["text"] for e in page.all("h2")]
    assert headings[0] == "Was the rate tuned?"
    assert str(tmp_path) not in page.source


def test_failed_and_diverged_trials_are_told(tmp_path):
    def change(record):
        if (record["label"], record["purpose"]) == ("sgd", "final"):
            record |= {"status": "diverged", "value": None, "reached": None}
        if (record["label"], record["index"]) == ("muon", 1):
            for name in set(record) - {"key", "label", "setting", "index", "purpose"}:
                del record[name]
            record |= {
                "status": "failed",
                "error": "OOM: <b>bold</b> & more",
                "seed": 0,
            }

    page = page_of(tmp_path, **FEW, change=change)
    told = page.text("section", aria_labelledby="limits")
    assert "Runs of the final that diverged: sgd 3 of 3." in told
    assert page.text("dt") == "muon search 1 seed 0"
    assert page.text("dd") == "OOM: <b>bold</b> & more"
    assert not page.all("b")
    assert "The last, sgd, never reaches it." in page.text("section", id_="verdict")


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("study", "answer"),
    [
        ({"seeds": 1}, "No verdict: a single run of each optimizer"),
        ({"optimizers": ["adam"]}, "adam was measured alone: it reaches accuracy 0.98"),
        ({"target": None}, "muon is better than all 2 others: it ends with accuracy"),
        ({"target": 0.99999}, "No run of any optimizer reached accuracy 0.99999."),
        ({"metric": "loss", "target": 0.12}, "muon is better than all 2 others"),
        (
            {"optimizers": ["adam(learning_rate=0.001)", "keras.adam"]},
            "keras.adam is better",
        ),
        ({"stop_after": 57}, "No verdict yet: only sgd has final runs. It reaches"),
        ({"stop_after": 60}, "adamw is better than sgd: it reaches accuracy 0.98"),
    ],
    ids=str,
)
def test_other_studies(tmp_path, study, answer):
    page = page_of(tmp_path, **(FEW | study))
    assert page.text("p", class_="answer").startswith(answer)


def test_a_study_of_tune_tells_what_was_chosen(tmp_path):
    def change(record):
        return record["label"] == "muon" or record["purpose"] == "search"

    page = page_of(tmp_path, **FEW, kind="tune", change=change)
    answer = page.text("p", class_="answer")
    assert answer.startswith("muon was chosen: it reaches accuracy 0.98 after")
    assert not page.all("p", class_="banner")
    verdicts = [e["text"] for e in page.all("td")[:24:8]]
    assert verdicts == ["chosen", "not chosen", "not chosen"]
    assert "Which optimizer is better" in page.text("section", aria_labelledby="limits")


def test_an_optimizer_that_is_not_registered_here_is_shown_by_its_arguments(tmp_path):
    comparison = write_study(tmp_path, ["adam"], trials=2, seeds=2)
    path = tmp_path / "records.jsonl"
    path.write_text(path.read_text().replace('"adam"', '"mine"'))
    study = json.loads((tmp_path / "study.json").read_text())
    study["config"]["optimizers"][0] |= {"label": "mine", "optimizer": "mine"}
    (tmp_path / "study.json").write_text(json.dumps(study))
    page = Page(Comparison(tmp_path).report().read_text())
    rate = comparison.settings["adam"].arguments["learning_rate"]
    code = page.text("code")
    assert "optimizer = mine(" in code
    assert f"learning_rate={rate}" in code


def test_scores_that_cannot_be_judged_do_not_hide_the_rest(tmp_path):
    def percent(record):
        if record["value"] is not None:
            record["value"] *= 100

    page = page_of(tmp_path, **FEW, target=None, change=percent)
    assert "at most 1" in page.text("p", class_="answer")
    assert len(page.all("svg")) > 3


def test_the_final_values_are_drawn_where_no_setting_reached_the_target(tmp_path):
    def change(record):
        record["reached"] = None

    page = page_of(tmp_path, **FEW, change=change)
    told = page.text("section", aria_labelledby="rates")
    assert "Final accuracy of every setting that was tried" in told
    assert "not reached" not in told
    answer = page.text("p", class_="answer")
    assert answer.startswith("No run of any optimizer reached")


def test_an_edge_of_the_rates_is_told(tmp_path):
    comparison = write_study(tmp_path, ["sgd", "adam"], trials=4, seeds=2)
    lowest = min(
        comparison.records("sgd", "search"),
        key=lambda r: r["setting"]["arguments"]["learning_rate"],
    )
    path = tmp_path / "records.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        if (record["label"], record["purpose"]) == ("sgd", "final"):
            record["setting"], record["index"] = lowest["setting"], lowest["index"]
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    page = Page(Comparison(tmp_path).report().read_text())
    told = page.text("section", aria_labelledby="rates")
    assert re.search(r"the best rate of .*\bsgd\b.* is the lowest or highest", told)


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    comparison = write_study(tmp_path / "study", ["adam"], trials=1, seeds=1)
    path = comparison.report(tmp_path / "new" / "page.html")
    assert path == tmp_path / "new" / "page.html"
    path.write_text("old")

    def full_disk(*_args):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        comparison.report(path)
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def colours():
    """Return the colours of the light and of the dark page, by name."""
    css = (TEMPLATES / "style.css").read_text()
    schemes = re.findall(r":root \{([^}]*)\}", css)
    found = [dict(re.findall(r"--(\w+): (#\w{6})", scheme)) for scheme in schemes]
    return {"light": found[0], "dark": found[0] | found[1]}


def contrast(a, b):
    """Return the contrast of two colours by WCAG 2.2."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(luminance(c) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_contrast_is_enough(scheme):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    found = colours()[scheme]
    for text in ("ink", "soft", "link", "c0", "c1", "c2", "c3", "c4", "rest"):
        assert contrast(found[text], found["page"]) >= 4.5, text
    for text in ("ink", "soft"):
        assert contrast(found[text], found["card"]) >= 4.5, text
    assert contrast(found["ink"], found["warn"]) >= 4.5
