"""What is done about accidents that follow each other."""

from keras_optlab.spikes import Action, Stages

SKIP, LOWER, BACK, STOP = Action


def stages(**arguments):
    return Stages(**{"memory": 40, "max_rollbacks": 2, "recovery": 1000} | arguments)


def test_each_accident_of_a_series_has_a_further_stage():
    s = stages()
    found = [s.accident(t) for t in (3, 43, 50, 60, 70)]
    assert found == [SKIP, LOWER, BACK, BACK, STOP]
    assert (s.lowered, s.rollbacks) == (1, 2)


def test_a_later_accident_begins_a_new_series():
    s = stages()
    assert [s.accident(t) for t in (3, 44, 85, 100, 150)] == [
        SKIP,
        SKIP,
        SKIP,
        LOWER,
        SKIP,
    ]


def test_rollbacks_count_over_all_series():
    s = stages(max_rollbacks=1)
    assert [s.accident(t) for t in (1, 2, 3)] == [SKIP, LOWER, BACK]
    assert [s.accident(t) for t in (101, 102, 103)] == [SKIP, LOWER, STOP]
    assert stages(max_rollbacks=0, lowers=False).accident(1) is SKIP


def test_a_rate_that_may_not_be_lowered():
    s = stages(lowers=False)
    assert [s.accident(t) for t in (1, 2, 3, 4)] == [SKIP, BACK, BACK, STOP]
    assert s.lowered == 0


def test_bad_data_that_were_not_applied_lead_no_further():
    s = stages()
    assert all(s.accident(t, harmless=True) is SKIP for t in range(20))
    assert [s.accident(t) for t in (20, 21)] == [SKIP, LOWER]


def test_a_reduction_is_taken_back_after_a_quiet_time():
    s = stages()
    for t in (1, 2, 100, 101):
        s.accident(t)
    assert s.lowered == 2
    assert not s.recovers(1100)
    assert s.recovers(1101)
    assert not s.recovers(1102)
    assert s.recovers(2101)
    assert s.lowered == 0
    assert not s.recovers(9999)
