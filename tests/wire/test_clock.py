"""The clock: what it says before it knows, after it knows, and when the world's clock jumps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wire.clock import SLEW_LIMIT_NS, Clock, boot_id, boottime_ns, kernel_synchronised
from wire.messages import EARLIEST_NS, Trust

SECOND = 1_000_000_000
NOON = EARLIEST_NS + 10_000 * SECOND


class World:
    """A board whose monotonic time, wall clock and NTP state a test can set."""

    def __init__(self, boot: str = "boot-1", wall: int = 0, history: str = "") -> None:
        self.mono = 100 * SECOND
        self.wall = wall
        self.is_synced = False
        self.clock = Clock(
            boot, history, monotonic_ns=lambda: self.mono, wall_ns=lambda: self.wall, synced=lambda: self.is_synced
        )

    def pass_time(self, ns: int) -> None:
        self.mono += ns
        self.wall += ns


def test_nothing_is_dated_before_any_time_is_known() -> None:
    world = World(wall=0)
    assert world.clock.poll() is False
    assert world.clock.stamp("boot-1", world.mono) is None
    assert world.clock.wall_ns() is None


def test_a_synchronised_clock_dates_earlier_samples_too() -> None:
    world = World(wall=0)
    world.clock.poll()
    early = world.mono
    world.pass_time(30 * SECOND)
    world.wall, world.is_synced = NOON, True
    assert world.clock.poll() is True
    assert world.clock.stamp("boot-1", early) == (NOON - 30 * SECOND, Trust.SYNCED)


def test_1970_is_not_a_time_even_when_the_kernel_claims_it() -> None:
    world = World(wall=5 * SECOND)
    world.is_synced = True
    world.clock.poll()
    world.clock.hear(5 * SECOND)
    assert world.clock.wall_ns() is None


def test_the_gateway_helps_a_board_without_a_clock_and_the_least_delayed_beacon_counts() -> None:
    world = World()
    for delay_ms in (800, 20, 300):
        world.pass_time(5 * SECOND)
        world.clock.hear(NOON + world.mono - delay_ms * 1_000_000)
    stamp = world.clock.stamp("boot-1", world.mono)
    assert stamp == (NOON + world.mono - 20_000_000, Trust.GATEWAY)


def test_an_own_synchronised_clock_beats_the_gateway() -> None:
    world = World(wall=NOON)
    world.is_synced = True
    world.clock.poll()
    world.clock.hear(NOON + 3600 * SECOND)
    assert world.clock.wall_ns() == NOON


def test_once_trusted_the_offset_holds_when_the_wall_clock_is_no_longer_synchronised() -> None:
    world = World(wall=NOON)
    world.is_synced = True
    world.clock.poll()
    world.is_synced = False
    world.pass_time(SECOND)
    world.wall = 0
    world.clock.poll()
    assert world.clock.wall_ns() == NOON + SECOND


@given(
    steps=st.lists(
        st.tuples(st.integers(1000, 20 * SECOND), st.integers(-SLEW_LIMIT_NS // 2, SLEW_LIMIT_NS)),
        min_size=1,
        max_size=30,
    )
)
def test_small_steps_never_let_two_moments_of_a_boot_fall_together(steps: list[tuple[int, int]]) -> None:
    world = World(wall=NOON)
    world.is_synced = True
    world.clock.poll()
    last = world.clock.stamp("boot-1", world.mono)
    assert last is not None
    for passed, step in steps:
        world.pass_time(passed)
        stamp = world.clock.stamp("boot-1", world.mono)
        assert stamp is not None
        assert stamp.time_ns > last.time_ns
        last = stamp
        # The next step back comes only once the one before is worked off, as NTP itself would do it.
        if step >= 0 or stamp.time_ns <= world.wall:
            world.wall += step
            world.clock.poll()


def test_a_leap_second_is_worked_off_within_ten_seconds() -> None:
    world = World(wall=NOON)
    world.is_synced = True
    world.clock.poll()
    world.pass_time(60 * SECOND)
    world.wall -= SECOND
    world.clock.poll()
    world.pass_time(10 * SECOND)
    world.clock.poll()
    assert world.clock.wall_ns() == world.wall


def test_a_large_step_is_taken_at_once_and_redates_what_was_not_sent() -> None:
    world = World(wall=NOON)
    world.is_synced = True
    world.clock.poll()
    sample = world.mono
    world.pass_time(SECOND)
    world.wall += 86_400 * SECOND
    world.clock.poll()
    assert world.clock.stamp("boot-1", sample) == (NOON + 86_400 * SECOND, Trust.SYNCED)
    assert world.clock.steps == 1


def test_an_earlier_boot_keeps_its_offset_over_a_restart() -> None:
    first = World(wall=NOON)
    first.is_synced = True
    first.clock.poll()
    sample = first.mono
    second = World("boot-2", history=first.clock.export())
    assert second.clock.stamp("boot-1", sample) == (NOON, Trust.SYNCED)
    assert second.clock.wall_ns() is None


def test_a_boot_that_never_knew_the_time_ends_before_the_present_one_begins_and_keeps_its_order() -> None:
    first = World()
    first.clock.poll()
    second = World("boot-2", wall=NOON, history=first.clock.export())
    assert second.clock.stamp("boot-1", first.mono) is None
    second.is_synced = True
    second.clock.poll()
    early = second.clock.stamp("boot-1", first.mono)
    late = second.clock.stamp("boot-1", first.mono + 5 * SECOND)
    assert early is not None
    assert late is not None
    assert early.trust is Trust.ESTIMATED
    assert late.time_ns - early.time_ns == 5 * SECOND
    assert late.time_ns <= NOON - second.mono


def test_an_unreadable_history_only_means_knowing_less() -> None:
    world = World(history='{"boot-1": {"offset')
    assert world.clock.wall_ns() is None


def test_the_real_world_answers() -> None:
    assert boottime_ns() > 0
    assert len(boot_id()) == 36
    assert kernel_synchronised() in (True, False)
    assert Clock().boot == boot_id()


def test_the_gateways_own_time_is_told_by_its_last_beacon_also_where_the_board_knows_better() -> None:
    world = World(wall=NOON)
    assert world.clock.gateway_ns() is None
    world.is_synced = True
    world.clock.poll()
    assert world.clock.gateway_ns() == NOON, "as long as none was heard, the best that is known"
    for behind_s in (0, 3600):
        world.clock.hear(NOON - behind_s * SECOND)
    world.pass_time(SECOND)
    assert world.clock.gateway_ns() == NOON - 3599 * SECOND
    assert world.clock.wall_ns() == NOON + SECOND
