"""The tables of docs/privacy.md: what the shipped model and its homes give away about the homes it was trained on.

    python benchmarks/privacy.py --real ../shared/data/ausgrid --weather WEATHER_FILE --out docs/privacy.md

Attacks and distances take minutes. The audit with canaries trains a small model of its own, which takes as long as
it is given, and only when asked for:

    python benchmarks/privacy.py --real … --weather … --out docs/privacy.md --canary-minutes 20

Each part leaves its table in --work and is not made again; stop and start at will, or delete a table to have it
made anew.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import hidiff
from hidiff import privacy_audit, privacy_canaries
from hidiff.data.ausgrid import read_traces
from hidiff.data.prepare import prepare
from hidiff.data.traces import Traces
from hidiff.data.weather import observed_weather
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.metrics.privacy import audit
from hidiff.output import replace_when_done
from hidiff.training import TrainConfig, clean, train

START = "2012-07-01"

TEXT = {
    "distances-new": """## New homes: distances

Of each record of {new} new homes: is the nearest real home one that was trained on ({members} homes) or one that was
not ({others} validation homes)? *Share* counts both sides as if equally many: 0.5 is no leak, 1 a copy. *Ratio* is the
distance to the closest training record over that to the closest of as many homes never seen: 1 is no leak, 0 a copy.
*NNDR* is the distance to the nearest training home over that to the second nearest; *low* is the share of generated
records below the lowest 5 % of what homes never seen have (0.05: no copies). Intervals are 95 % over homes.""",
    "attack-new": """## New homes: membership attacks with the generated set

Real homes are ranked by how near generated homes come to them; members are training homes, others validation homes.
AUROC 0.5 is chance. *Excess* is the AUROC less that of a control: the same attack with the real homes that are not
clean and were never trained on in the place of the generated ones, so that it takes out how the two sides happen to
differ. The true positive rate (TPR) is taken at 10 % false positives, where chance is 0.1. `p_value` is
one-sided, `p_holm` holds for all rows together.""",
    "attack-like": """## Like homes: membership attacks with the generated set

The same with homes `like` {like} named training homes as the generated set and those homes as members. To resemble a
named home is what `like` is for: this table says how well it does, not that it protects.""",
    "reconstruction-like": """## Like homes: reconstruction of real days

Distance from each real record of the trained year before {start} to the nearest of the home's own `like` year,
beside that to the nearest of the home's own hidden real year, and to the `like` years of other homes. A median ratio of
1 is as near as another real year of the same household. *Nearer to trained* is the share of generated
records nearer to the trained year than to the hidden one; *of earlier* is that share of the home's own real
records of the year before those, which copy nothing: what a household's drift makes of 0.5.""",
    "weights": """## The weights: membership attacks with the denoising loss

For someone who holds the model directory. The loss of each level on a home's own readings, and the same
*calibrated* by the loss with the mean household. `stored_numbers` is no attack on the networks: the directory stores the
441 numbers of every training home for mode `like`, so whoever holds it and a home's readings can look the home up.""",
    "weights-years": """## The weights: was this year trained on?

For homes with a hidden year: loss on that year less loss on the trained years. Members are the homes whose earlier years
were trained on, others the validation homes, neither of whose years was: what differs between years is in both.""",
    "odd-homes": """## Odd real homes as canaries of the shipped model

Real homes that are not clean, of which a random part was trained on (audit as below).""",
    "canaries-audit": """## Canaries: an audit in one run

{canaries}
Epsilon is the lower bound of Steinke, Nasr and Jagielski (2023, arXiv:2305.08846): the training is not
epsilon-differentially private for any smaller one; 0 says nothing was found. `_all` holds for all rows together.""",
    "canaries-attack": "The same scores as an attack, included canaries against the rest.",
}


class Parts:
    """Tables kept on disk, with the seconds that each took."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tables = folder, {}
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "seconds.json"
        self.seconds: dict[str, float] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def make(self, name: str, work: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table of that name: from disk where it is there."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            began = time.process_time()
            table = work()
            self.seconds[name] = round(time.process_time() - began, 1)
            with replace_when_done(path) as temporary:
                table.to_csv(temporary, index=False)
            with replace_when_done(self.file) as temporary:
                temporary.write_text(json.dumps(self.seconds, indent=1))
        self.tables[name] = pd.read_csv(path, dtype={"home": str})
        shown = to_markdown(self.tables[name]) if name in TEXT else path
        print(f"\n{name} ({self.seconds.get(name, float('nan')):g} s)\n{shown}", flush=True)
        return self.tables[name]


def to_markdown(table: pd.DataFrame) -> str:
    """Rows as Markdown, three significant digits."""

    def cell(value: object) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    lines = ["| " + " | ".join(map(str, table.columns)) + " |"]
    lines.append("|" + "|".join("---:" if kind.kind in "fi" else "---" for kind in table.dtypes) + "|")
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def by_name(scores: pd.DataFrame) -> privacy_audit.Scores:
    """Columns of `membership_scores` as `attack_table` takes them."""
    return {("weights", str(name)): column.to_numpy(dtype=np.float64) for name, column in scores.items()}


def audit_table(scores: privacy_audit.Scores, included: np.ndarray) -> pd.DataFrame:
    """Audit by each score; ``epsilon_low_95_all`` holds for all rows together (Bonferroni)."""
    rows = []
    for (kind, name), values in scores.items():
        if not np.isfinite(values).all():
            continue
        accuracy, epsilon = audit(values, included)
        _, safe = audit(values, included, confidence=1 - 0.05 / len(scores))
        rows.append([kind, name, len(values), int(included.sum()), accuracy, epsilon, safe])
    columns = ["record", "score", "canaries", "included", "accuracy", "epsilon_low_95", "epsilon_low_95_all"]
    return pd.DataFrame(rows, columns=columns)


def generated(model: HiDiff, folder: Path, homes: int, seed: int, **choices: object) -> Traces:
    """A generated set, from disk where it is there."""
    if not (folder / "homes.csv").exists():  # written last
        for shard in folder.glob("traces-*.parquet"):
            shard.unlink()
        model.sample(homes, start=START, seed=seed, progress=True, **choices).to_parquet(folder)
    return read_traces(folder)


def weather_of(traces: Traces, file: Path | None) -> pd.DataFrame | None:
    """Daily weather of the days of ``traces``, or None without a file."""
    return None if file is None else observed_weather(prepare(traces), file)


def shipped(arguments: argparse.Namespace, model: HiDiff, real: Traces, parts: Parts) -> dict[str, object]:
    """All tables of a model that is there already."""
    sides = privacy_audit.sides(model, real)
    hidden_from = pd.Timestamp(model.notes["split"]["hidden_from"])
    hidden, others = (model.notes["split"][name] for name in ("hidden_year_homes", "validation_homes"))
    new_folder = arguments.new or parts.folder / "new"
    like_folder = arguments.like or parts.folder / "like"
    new = generated(model, new_folder, arguments.homes, arguments.seed)
    like = generated(model, like_folder, len(hidden), arguments.seed, mode="like", household=hidden)
    kept: dict[str, dict[str, np.ndarray]] = {}

    def records(name: str, traces: Traces) -> dict[str, np.ndarray]:
        if name not in kept:
            kept[name] = privacy_audit.home_records(traces, model)
        return kept[name]

    seed = arguments.seed
    parts.make(
        "distances-new",
        lambda: privacy_audit.distance_table(
            records("new", new), records("real", sides.traces), sides.is_member, seed
        ),
    )
    odd = [name for name in real.names if name not in clean(real).names]
    # odd homes train the low level only, and are not among the homes to be like
    trained = {*model.homes, *model.notes["split"].get("odd_homes", [])}
    unseen = [name for name in odd if name not in trained]

    def attack_new() -> pd.DataFrame:
        found, control = privacy_audit.black_box(records("new", new), records("real", sides.traces)), None
        if unseen:
            year = real.select(unseen).between(hidden_from, hidden_from + pd.DateOffset(years=1))
            made = privacy_audit.home_records(year, model)
            control = privacy_audit.black_box(made, records("real", sides.traces))
        return privacy_audit.attack_table(found, sides.is_member, seed, control=control)

    parts.make("attack-new", attack_new)
    sources = [str(name) for name in like.homes["source_home"]]
    rows = [i for i, name in enumerate(sides.traces.names) if name in sources or not sides.is_member[i]]
    parts.make(
        "attack-like",
        lambda: privacy_audit.attack_table(
            privacy_audit.black_box(
                records("like", like), {k: v[rows] for k, v in records("real", sides.traces).items()}
            ),
            sides.is_member[rows], seed,
        ),
    )  # fmt: skip
    parts.make("reconstruction-like", lambda: privacy_audit.reconstruction_table(like, real, hidden_from))
    weather = weather_of(clean(real), arguments.weather)

    def losses(traces: Traces, names: list[str]) -> pd.DataFrame:
        return privacy_audit.membership_scores(model, traces, names, weather=weather)

    before = parts.make(
        "weights-scores",
        lambda: losses(sides.traces, sides.traces.names).reset_index(),
    )
    before = before.set_index("home")
    parts.make("weights", lambda: privacy_audit.attack_table(by_name(before), sides.is_member, seed))

    def years() -> pd.DataFrame:
        names, columns = [*hidden, *others], ["low_loss", "low_calibrated"]
        late = real.between(hidden_from, hidden_from + pd.DateOffset(years=1))
        gap = before.loc[names, columns] - losses(late, names)[columns]
        is_member = np.arange(len(names)) < len(hidden)
        return privacy_audit.attack_table(by_name(gap), is_member, seed)

    parts.make("weights-years", years)
    included = np.array([name in trained for name in odd], dtype=bool)
    if included.any() and not included.all():
        earlier = real.between(real.time[0], hidden_from)
        parts.make("odd-homes", lambda: audit_table(by_name(losses(earlier, odd)), included))
    return {
        "new": len(new), "like": len(like), "members": int(sides.is_member.sum()), "start": hidden_from.date(),
        "others": int((~sides.is_member).sum()),
    }  # fmt: skip


def canary_run(arguments: argparse.Namespace, real: Traces, folder: Path, parts: Parts) -> str:
    """Train with a random half of the canaries, attack, audit; what was done, in words."""
    homes = clean(real)
    canaries = privacy_canaries.canary_homes(homes, arguments.canaries, arguments.seed)
    included = privacy_canaries.included_canaries(canaries.names, arguments.seed)
    data, out = folder / "homes", folder / "model"
    if not (data / "homes.csv").exists():
        for shard in data.glob("traces-*.parquet"):
            shard.unlink()
        privacy_canaries.with_canaries(homes, canaries, included).to_parquet(data)
    if not (out / "config.json").exists():
        train(
            TrainConfig(
                data=data, out=out, weather=arguments.weather, minutes=arguments.canary_minutes,
                low_steps=arguments.low_steps, high_steps=arguments.high_steps, seed=arguments.seed,
                resume=(out / "state").is_dir(),
            )
        )  # fmt: skip
    model = hidiff.load(out)
    before = canaries.between(real.time[0], pd.Timestamp(model.notes["split"]["hidden_from"]))

    def scores() -> privacy_audit.Scores:
        found = by_name(
            privacy_audit.membership_scores(
                model, before, before.names, weather=weather_of(homes, arguments.weather)
            )
        )
        real_records = privacy_audit.home_records(before, model)
        kinds = ("load day", "load week", privacy_audit.NUMBERS)
        for mode, count in (("new", arguments.homes), ("like", len(model.homes))):
            made = generated(model, folder / mode, count, arguments.seed, mode=mode)
            near = privacy_audit.black_box(privacy_audit.home_records(made, model), real_records, kinds)
            found |= {(f"{mode}: {kind}", name): values for (kind, name), values in near.items()}
        return found

    table = parts.make(
        "canary-scores",
        lambda: pd.DataFrame(
            {"home": before.names, "included": included}
            | {f"{kind}/{name}": values for (kind, name), values in scores().items()}
        ),
    )
    columns = {
        (str(name).split("/")[0], str(name).split("/")[1]): table[name].to_numpy(dtype=np.float64)
        for name in table.columns[2:]
    }
    parts.make("canaries-audit", lambda: audit_table(columns, included))
    parts.make("canaries-attack", lambda: privacy_audit.attack_table(columns, included, arguments.seed))
    training = model.notes["training"]
    return (
        f"{len(canaries)} outlier homes (`privacy_canaries.canary_homes`), of which a coin chose {int(included.sum())} "
        f"to be trained on beside {len(model.homes) - int(included.sum())} real homes: {training['steps']['low']} "
        f"steps of the low and {training['steps']['high']} of the high level, minutes {training['minutes']}. A small "
        "model, not the shipped one: more training remembers more."
    )


def main() -> None:
    """Make what is missing, print and write all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of the real homes")
    parser.add_argument("--weather", type=Path, help="temperature file that the model was trained with")
    parser.add_argument("--out", type=Path, default=Path("docs/privacy.md"))
    parser.add_argument("--work", type=Path, default=Path("runs/privacy"), help="where parts are kept")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--new", type=Path, help="set of new homes of the model, instead of making one")
    parser.add_argument("--like", type=Path, help="set of like homes of the model, instead of making one")
    parser.add_argument("--homes", type=int, default=56, help="new homes to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--canary-minutes", type=float, help="train with canaries, each level this long at most"
    )
    parser.add_argument("--canaries", type=int, default=60)
    parser.add_argument("--low-steps", type=int, default=1200)
    parser.add_argument("--high-steps", type=int, default=600)
    arguments = parser.parse_args()

    model, real = hidiff.load(arguments.model), read_traces(arguments.real)
    parts = Parts(arguments.work / f"{str(model.model_hash)[:12]}-{arguments.seed}")
    facts = shipped(arguments, model, real, parts)
    folder = arguments.work / f"canaries-{arguments.canaries}-{arguments.low_steps}-{arguments.seed}"
    canary_parts = Parts(folder)
    if arguments.canary_minutes is not None or (folder / "canaries-audit.csv").exists():
        facts["canaries"] = canary_run(arguments, real, folder, canary_parts)
    tables = parts.tables | canary_parts.tables
    sections = [
        f"{TEXT[name].format(**facts)}\n\n{to_markdown(table)}"
        for name, table in tables.items()
        if name in TEXT
    ]
    seconds = sum(parts.seconds.values())
    text = f"""# What the homes give away

Made by `benchmarks/privacy.py --seed {arguments.seed}`; hidiff {hidiff.__version__}, weights
{str(model.model_hash)[:12]}; {seconds:.0f} s of one core for the tables of the shipped model, besides generating.
Members and validation homes have the same days, those before the hidden year. The validation homes also chose when
training stopped. With few homes intervals are wide: "chance is inside" is no proof that nothing leaks.

""" + "\n\n".join(sections)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with replace_when_done(arguments.out) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    with replace_when_done(arguments.out.with_suffix(".csv")) as temporary:
        long = [table.assign(table=name) for name, table in tables.items() if name in TEXT]
        pd.concat(long)[lambda t: ["table", *t.columns.drop("table")]].to_csv(temporary, index=False)
    print(arguments.out)


if __name__ == "__main__":
    main()
