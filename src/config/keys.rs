//! The table of every key of a model file: the one place from which checks, schema and documentation follow.

use super::shape::{Key, Record, Shape};

/// The tools whose metrics can be reproduced (SEMANTICS S24).
pub const COMPAT: [&str; 4] = ["azureml", "evidently", "nannyml", "scouter"];
/// The kinds of features.
pub const KINDS: [&str; 3] = ["numeric", "categorical", "embedding"];
/// The logical types that a feature may be declared as (SEMANTICS S4).
pub const TYPES: [&str; 17] = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "decimal",
    "string",
    "date",
    "time",
    "timestamp",
    "duration",
];

/// A model file.
pub static MODEL: Record = Record {
    name: "a model file",
    keys: &[
        required("model", Shape::Label, "flights", "The model's name, unique within a service"),
        optional(
            "version",
            Shape::Label,
            "unversioned",
            "\"2001-01\"",
            "The model's version: results and baselines are kept apart by it",
        ),
        optional(
            "baseline",
            Shape::ShortOr(&PATHS, &BASELINE),
            "`--baseline`",
            "{path: train/*.parquet}",
            "What windows are compared with",
        ),
        optional(
            "data",
            Shape::ShortOr(&PATHS, &DATA),
            "the files named on the command line",
            "live/*.parquet",
            "What `check` judges",
        ),
        optional("source", Shape::Label, "", "flights", "The source of `service.yaml` that `serve` reads"),
        optional("time", Shape::Label, "none: all rows are one window", "date", "The event-time column"),
        optional(
            "id",
            Shape::Label,
            "none: no ids are kept",
            "request_id",
            "The column that names rows: of each cluster of an embedding three ids are kept as examples",
        ),
        optional(
            "window",
            Shape::Record(&WINDOW),
            "one window over everything",
            "{length: 6h, every: 1h}",
            "How event time or rows are cut, if in one way: this window is named `default`",
        ),
        optional(
            "windows",
            Shape::Table(&Shape::Record(&WINDOW)),
            "",
            "{hourly: {length: 1h}, daily: {length: 24h}}",
            "How event time or rows are cut, if in several ways: a name for each",
        ),
        optional(
            "segments",
            Shape::List(&SPLIT),
            "none: only the whole",
            "[origin]",
            "Columns by whose values rows are also judged apart; `[a, b]` are two separate splits, `[[a, b]]` is a cross",
        ),
        optional(
            "where",
            Shape::Text,
            "every row",
            "\"cancelled = false\"",
            "An SQL condition; rows for which it is false or null are left out of baseline and windows alike",
        ),
        optional(
            "derive",
            Shape::Table(&Shape::Text),
            "",
            "{speed: \"distance / minutes\"}",
            "New columns, each an SQL expression",
        ),
        optional(
            "features",
            Shape::Table(&Shape::ShortOr(&Shape::Choice(&KINDS), &FEATURE)),
            "every column, with inferred kinds",
            "{delay: {kind: numeric}}",
            "The columns to judge; the key `\"*\"` stands for all the others, with inferred kinds",
        ),
        optional("exclude", COLUMNS, "none", "[id]", "Columns never to judge"),
        optional(
            "thresholds",
            Shape::List(&Shape::Record(&THRESHOLD)),
            "the default policy",
            "[{metric: psi, drift: 0.2}]",
            "Rules that replace the default policy, each for a metric and perhaps for features and segments",
        ),
        optional(
            "alert",
            Shape::Record(&ALERT),
            "",
            "{windows: 2 of 3}",
            "When `serve` opens and resolves alerts; `check` knows none",
        ),
        optional(
            "sinks",
            Shape::List(&Shape::Label),
            "none",
            "[oncall]",
            "The sinks of `service.yaml` that receive this model's alerts",
        ),
        optional(
            "azure",
            Shape::Record(&AZURE),
            "",
            "{rules: [credit is slow]}",
            "Which alerts of Azure Monitor are about this model, beside those that name it",
        ),
        optional(
            "compat",
            Shape::Several(&Shape::Choice(&COMPAT)),
            "none",
            "evidently",
            "Tools whose metrics are reported beside driftlead's own, computed exactly as they do",
        ),
    ],
    one_of: &[],
};

const COLUMNS: Shape = Shape::Several(&Shape::Label);
const PATHS: Shape = Shape::Several(&Shape::Text);
const SPLIT: Shape = COLUMNS;

static AZURE: Record = Record {
    name: "what in Azure belongs to a model",
    keys: &[
        optional(
            "resources",
            COLUMNS,
            "none",
            "[/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W/onlineEndpoints/credit]",
            "Ids of resources: alerts on them, and on what lies beneath them",
        ),
        optional("rules", COLUMNS, "none", "[credit is slow]", "Names or ids of alert rules"),
    ],
    one_of: &[],
};

static BASELINE: Record = Record {
    name: "a baseline",
    keys: &[
        required(
            "path",
            PATHS,
            "train/*.parquet",
            "Raw rows, or one baseline file made by `driftlead baseline`: a path, pattern, folder or URL, or several",
        ),
        optional(
            "where",
            Shape::Text,
            "every row",
            "\"date < '2001-02-01'\"",
            "An SQL condition on the baseline's rows alone, beside the model's own `where`",
        ),
        FORMAT,
        optional(
            "moving",
            Shape::ShortOr(&Shape::Choice(&["previous"]), &MOVING),
            "no: windows are compared with these rows",
            "{windows: 7}",
            "Compares each window with the windows before it, on the cells of these rows: `previous`, or so many",
        ),
    ],
    one_of: &[],
};

static DATA: Record = Record {
    name: "data",
    keys: &[
        required("path", PATHS, "live/*.parquet", "Rows: a path, pattern, folder or URL, or several"),
        FORMAT,
    ],
    one_of: &[],
};

/// What no name of a file tells.
const FORMAT: Key = optional(
    "format",
    Shape::Choice(&["mdc"]),
    "as the files' names say",
    "mdc",
    "`mdc`: lines of events that Azure ML's Model Data Collector wrote",
);

static MOVING: Record = Record {
    name: "a moving baseline",
    keys: &[required(
        "windows",
        Shape::Count(1),
        "7",
        "How many windows before it, none of which overlap, a window is compared with",
    )],
    one_of: &[],
};

static WINDOW: Record = Record {
    name: "a window",
    keys: &[
        optional(
            "length",
            Shape::Duration,
            "all rows are one window",
            "6h",
            "How much event time a window covers",
        ),
        optional(
            "rows",
            Shape::Count(1),
            "none: windows are of event time",
            "10000",
            "How many rows a window has, in the order of the rows; in the place of `length` and all that goes with time",
        ),
        optional(
            "every",
            Shape::Duration,
            "`length`",
            "1h",
            "How far one window's end is from the next; divides `length`",
        ),
        optional(
            "offset",
            Shape::Duration,
            "0s",
            "30m",
            "Shifts the ends of all windows from whole multiples of `every` since 1970 in UTC",
        ),
        optional(
            "lateness",
            Shape::Duration,
            "10m",
            "10m",
            "How long after its end a pane still takes rows (`serve`)",
        ),
        optional(
            "out_of_orderness",
            Shape::Duration,
            "60s",
            "60s",
            "How far rows may be out of order before the watermark passes them",
        ),
        optional(
            "idle",
            Shape::Duration,
            "60s",
            "60s",
            "After how much silence a partition no longer holds windows open (`serve`)",
        ),
        optional(
            "future",
            Shape::Duration,
            "5m",
            "5m",
            "How far ahead of its arrival a row's time may be before it is set aside (`serve`)",
        ),
        optional(
            "min_rows",
            Shape::Count(1),
            "200",
            "500",
            "The non-null rows that a feature needs to be judged",
        ),
    ],
    one_of: &[],
};

static FEATURE: Record = Record {
    name: "a feature",
    keys: &[
        optional(
            "kind",
            Shape::Choice(&KINDS),
            "inferred from the baseline",
            "numeric",
            "How the column is compared",
        ),
        optional(
            "type",
            Shape::Choice(&TYPES),
            "the baseline's",
            "float64",
            "The logical type that the data must have",
        ),
        optional("dim", Shape::Count(1), "the baseline's", "384", "The length of an embedding's vectors"),
        optional("mmd", Shape::Flag, "false", "true", "Whether `mmd` of an embedding is measured"),
        optional(
            "edges",
            Shape::List(&Shape::Number),
            "none",
            "[0, 15, 60]",
            "Bounds of your own that the cells of a numeric feature must respect, ascending",
        ),
    ],
    one_of: &[],
};

/// One entry of `thresholds`.
pub(super) static THRESHOLD: Record = Record {
    name: "a threshold rule",
    keys: &[
        required("metric", Shape::Metric, "psi", "The metric to which the rule applies"),
        optional(
            "features",
            COLUMNS,
            "every feature that has the metric",
            "[delay]",
            "The features to which it applies",
        ),
        optional(
            "segments",
            Shape::Several(&Shape::Segment),
            "the whole and every segment",
            "[{origin: ATL}]",
            "The segments to which it applies; `{origin: null}` is the segment of null, `null` alone is the whole",
        ),
        optional(
            "on",
            Shape::Choice(&["value", "corrected", "p_value"]),
            "`corrected` for psi and kl, else `value`",
            "value",
            "Which number is compared",
        ),
        optional("warn", Shape::Number, "none", "0.1", "Above this the verdict is `warn`"),
        optional("drift", Shape::Number, "none", "0.2", "Above this the verdict is `drift`"),
        optional(
            "below",
            Shape::Record(&BELOW),
            "none",
            "{warn: 0.05, drift: 0.01}",
            "The same two bounds for where small is bad",
        ),
        optional(
            "gate",
            Shape::Choice(&["none", "significance"]),
            "`significance` in windows under 1,000 rows, else `none`",
            "none",
            "Whether a breach must also be statistically significant",
        ),
    ],
    one_of: &[],
};

static BELOW: Record = Record {
    name: "bounds below",
    keys: &[
        optional("warn", Shape::Number, "none", "0.05", "Below this the verdict is `warn`"),
        optional("drift", Shape::Number, "none", "0.01", "Below this the verdict is `drift`"),
    ],
    one_of: &[],
};

static ALERT: Record = Record {
    name: "an alert policy",
    keys: &[
        optional(
            "windows",
            Shape::Quorum,
            "`2 of 3`; `1 of 1` for windows of a day and longer, and against the previous window",
            "2 of 3",
            "How many of the last judged windows must drift to open an alert",
        ),
        optional(
            "resolve_after",
            Shape::Count(1),
            "`2`; `1` for windows of a day and longer",
            "2",
            "How many calm windows in a row resolve it",
        ),
        optional(
            "cooldown",
            Shape::Duration,
            "0s",
            "1h",
            "Event time from a resolve to the earliest next alert",
        ),
    ],
    one_of: &[],
};

pub(super) const fn required(
    name: &'static str,
    shape: Shape,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, shape, required: true, default: "", example, doc }
}

pub(super) const fn optional(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, shape, required: false, default, example, doc }
}
