"""Reads a topic of flights from its beginning and feeds one tool with it: what `driftlead serve` is measured against.

    consume.py TOOL BROKERS TOPIC BASELINE WINDOW ROWS SECONDS

TOOL is a key of TOOLS. Ends when ROWS rows were read or SECONDS seconds have passed, whichever comes first, with the last
whole batch: a window of WINDOW rows for a tool that works by windows, a thousand rows for one that works by rows. Records
come through confluent-kafka in batches and through orjson, which is the quickest that Python has for both. Imports and
the reading of BASELINE (lines of the same rows) are not measured.

Prints one line: the rows that the tool was fed, wall and CPU seconds of the whole process since the first records, and the
tool's version with what it found. It fails unless the tool has seen what it was fed.
"""

import os
import sys
import time

# Neither tool may call home while it is measured.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["WHYLOGS_NO_ANALYTICS"] = "True"

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

NUMERIC = ["delay", "distance", "fare", "score", "temperature", "wind"]
CATEGORICAL = ["carrier", "destination", "origin"]
COLUMNS = NUMERIC + CATEGORICAL
# Seconds that a call waits for records.
PATIENCE = 0.02


class Decode:
    """Decoding only: nothing in Python that reads this topic can be quicker."""

    by_window = False

    def __init__(self, baseline):
        self.version = "orjson " + orjson.__version__
        self.rows = 0

    def feed(self, rows):
        for row in rows:
            for name in COLUMNS:
                row[name]
        self.rows += len(rows)

    def found(self, fed):
        assert self.rows == fed
        return "nothing"


class River:
    """One ADWIN for each numeric feature, a value at a time. River has no detector for categories."""

    by_window = False

    def __init__(self, baseline):
        import river
        from river.drift import ADWIN

        self.version = "river " + river.__version__
        self.detectors = [(name, ADWIN()) for name in NUMERIC]
        self.drifts = 0

    def feed(self, rows):
        for row in rows:
            for name, detector in self.detectors:
                detector.update(row[name])
                if detector.drift_detected:
                    self.drifts += 1

    def found(self, fed):
        # A detector forgets what came before a drift, and nothing else.
        widths = [detector.width for _, detector in self.detectors]
        assert all(0 < width <= fed for width in widths) and (self.drifts > 0 or min(widths) == fed), widths
        return f"{self.drifts} drifts"


class Evidently:
    """A report with the preset for data drift over all columns, a window at a time."""

    by_window = True
    preset = {}

    def __init__(self, baseline):
        import evidently
        import pandas
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        self.version = "evidently " + evidently.__version__
        definition = DataDefinition(numerical_columns=NUMERIC, categorical_columns=CATEGORICAL)
        self.dataset = lambda rows: Dataset.from_pandas(
            pandas.DataFrame.from_records(rows, columns=COLUMNS), data_definition=definition
        )
        self.report = Report([DataDriftPreset(**self.preset)])
        self.baseline = self.dataset(baseline)
        self.answers = []

    def feed(self, rows):
        self.answers += self.report.run(self.dataset(rows), self.baseline).dict()["metrics"]

    def found(self, fed):
        assert len(self.answers) > len(COLUMNS), self.answers
        return f"{len(self.answers)} answers"


class EvidentlyPsi(Evidently):
    """The same with PSI for every column, which costs less than what the preset chooses."""

    preset = {"method": "psi"}


class Whylogs:
    """A profile, a row at a time. That it would have to be compared with another is left out."""

    by_window = False

    def __init__(self, baseline):
        import whylogs
        from whylogs.core import DatasetProfile

        self.version = "whylogs " + whylogs.__version__
        self.profile = DatasetProfile()

    def feed(self, rows):
        for row in rows:
            self.profile.track(row={name: row[name] for name in COLUMNS})

    def found(self, fed):
        columns = self.profile.view().get_columns()
        counts = [int(columns[name].get_metric("counts").n.value) for name in COLUMNS]
        assert counts == [fed] * len(COLUMNS), counts
        return f"{sum(counts)} values"


class WhylogsFrames(Whylogs):
    """The same, a table a window at a time: the quick way, for who has windows of rows."""

    by_window = True

    def feed(self, rows):
        import pandas

        self.profile.track(pandas=pandas.DataFrame.from_records(rows, columns=COLUMNS))


TOOLS = {
    "decode": Decode,
    "river": River,
    "evidently": Evidently,
    "evidently-psi": EvidentlyPsi,
    "whylogs": Whylogs,
    "whylogs-frames": WhylogsFrames,
}


def consumer(brokers, topic):
    """Reads all partitions of the topic, from their beginnings."""
    own = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "peers",
            "enable.auto.commit": False,
            # By default a queue that is full is looked at again after a second, and the tool waits meanwhile.
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 1_000_000,
        }
    )
    partitions = own.list_topics(topic, timeout=30).topics[topic].partitions
    own.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    return own


def measure(tool, source, size, rows, seconds):
    """Rows that the tool was fed, and wall and CPU seconds since the first records were there."""
    began, read, fed, waiting, silent = None, 0, 0, [], 0
    wall = cpu = 0.0
    while read < rows and wall < seconds:
        # It waits for all of them or for the whole of the time.
        messages = source.consume(10_000, timeout=PATIENCE)
        silent = 0 if messages else silent + PATIENCE
        if silent > 60:
            raise SystemExit(f"{read} of {rows} rows came, and then none for a minute")
        if messages and began is None:
            began = time.perf_counter(), time.process_time()
        for message in messages:
            if message.error():
                raise SystemExit(str(message.error()))
            waiting.append(orjson.loads(message.value()))
        read += len(messages)
        at = 0
        while at + size <= len(waiting) and wall < seconds:
            tool.feed(waiting[at : at + size])
            at += size
            wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        fed += at
        del waiting[:at]
    if fed == 0:
        raise SystemExit(f"{rows} rows hold no {size} that the tool takes at a time")
    return fed, wall, cpu


def main(tool, brokers, topic, baseline, window, rows, seconds):
    with open(baseline, "rb") as lines:
        tool = TOOLS[tool]([orjson.loads(line) for line in lines])
    size = int(window) if tool.by_window else 1_000
    fed, wall, cpu = measure(tool, consumer(brokers, topic), size, int(rows), float(seconds))
    print(fed, wall, cpu, f"{tool.version}, {tool.found(fed)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
