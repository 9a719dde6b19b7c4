"""How far a prediction is: it rises to its end, stops what it raises in, and changes no digit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from small_case import SMALL

from her2.prognosis.predict import predict_patient
from her2.prognosis.progress import portion
from her2.prognosis.sequences import compare_sequences


class Stop(BaseException):
    """As the worker of the page stops a job."""


def test_a_portion_maps_its_share_into_the_whole():
    heard: list[tuple[str, float]] = []
    say = portion(lambda stage, share: heard.append((stage, share)), "twins", 0.2, 0.6)
    for share in (0.0, 0.5, 1.0):
        say(share)
    assert heard == [("twins", 0.2), ("twins", pytest.approx(0.4)), ("twins", pytest.approx(0.6))]


def test_a_prediction_says_how_far_it_is_and_stays_the_same(second_line, models, predicted):
    heard: list[tuple[str, float]] = []
    found = predict_patient(
        second_line, options=["capecitabine + Herceptin"], models=models, effort=SMALL,
        on_progress=lambda stage, share: heard.append((stage, share)),
    )  # fmt: skip
    shares = [share for _, share in heard]
    assert shares == sorted(shares) and shares[0] > 0.0 and shares[-1] < 1.0
    stages = list(dict.fromkeys(stage for stage, _ in heard))
    assert stages == ["twins", "options and rules", "what is not known"]
    # one for each member in every round, one for each on the options, one for each without the routes
    assert sum(stage == "options and rules" for stage, _ in heard) == 2 * len(models)
    assert found.run.digest == predicted.run.digest


@pytest.mark.parametrize("stage", ["twins", "options and rules"])
def test_what_the_watcher_raises_ends_the_prediction(second_line, models, stage):
    def watch(now: str, share: float) -> None:
        if now == stage:
            raise Stop

    with ThreadPoolExecutor(max_workers=1) as pool, pytest.raises(Stop):
        pool.submit(predict_patient, second_line, models=models, effort=SMALL, on_progress=watch).result()


def test_sequences_say_how_far_they_are_and_stop(second_line, models):
    heard: list[tuple[str, float]] = []

    def watch(stage: str, share: float) -> None:
        heard.append((stage, share))
        if stage == "sequences":
            raise Stop

    with pytest.raises(Stop):
        compare_sequences(second_line, depth=1, models=models, effort=SMALL, on_progress=watch)
    assert [share for _, share in heard] == sorted(share for _, share in heard)
    assert {stage for stage, _ in heard} == {"twins", "sequences"}
    assert heard[-1] == ("sequences", pytest.approx(0.5 + 0.5 / len(models)))
