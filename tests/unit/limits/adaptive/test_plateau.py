from fanwise.limits.adaptive.plateau import Round, comparable, stalled


def of(width, *, seconds_each, answers=100, tokens=1.0):
    return Round(
        answers=answers,
        work=answers * tokens,
        busy_s=answers * seconds_each,
        in_flight=answers * width,
    )


def test_twice_as_many_that_take_twice_as_long_bring_nothing():
    assert stalled(of(32, seconds_each=1.0), of(64, seconds_each=2.0))


def test_twice_as_many_in_the_same_time_bring_twice_as_much():
    assert not stalled(of(32, seconds_each=1.0), of(64, seconds_each=1.1))


def test_long_answers_are_no_queue():
    assert not stalled(of(32, seconds_each=1.0, tokens=100), of(64, seconds_each=4.0, tokens=400))


def test_rounds_much_alike_are_not_compared():
    assert not comparable(of(32, seconds_each=1.0), of(40, seconds_each=1.0))


def test_a_few_answers_say_nothing():
    assert not of(10, seconds_each=1.0, answers=49).enough
    assert not of(200, seconds_each=1.0, answers=150).enough
    assert of(10, seconds_each=1.0, answers=50).enough
