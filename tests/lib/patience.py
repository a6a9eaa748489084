"""How long the tests wait for what must come. A wait is a bound, never the measure: it ends with the
event, so a generous one costs nothing until something is broken."""

import os


def slow():
    """How much longer things may take: sanitizer builds set WAYBILL_TEST_SLOW."""
    return float(os.environ.get('WAYBILL_TEST_SLOW', '1'))


def patient(seconds):
    """The bound of a wait for something that takes this long on a machine that is busy with it
    alone: a test machine has other work, too."""
    return seconds * (2 + slow())
