"""Generated car owners against users of the real sessions that the fit has not seen: two Markdown tables.

    python benchmarks/ev.py --data ../shared/data/ev/norway_residential_sessions.csv
        --fit FILE       fit on all 48 users and write the parameters, as they ship
        --picture FILE   draw eight weeks of three held-out users and of the first three generated persons

A split holds out 30 % of the users with a charger of their own. For each held-out user a generated person lives on the
same dates. A gradient-boosting classifier, cross-validated by user, then tells generated days (and weeks) from real
ones; 0.5 is a guess. Settings of the fit were chosen within the 33 users that the split `final` trains on; its 15
held-out users had no part in any choice. A second table holds out each of all 48 users once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from hidiff import rng as random_numbers
from hidiff.scenarios.behaviour import Behaviour, Person, charge, live
from hidiff.scenarios.ev_data import clean_sessions, home_users, read_sessions
from hidiff.scenarios.ev_fit import EvFitConfig, fit_behaviour, write_behaviour

ZONE = "Europe/Oslo"
LIMIT = 0.65
LAGS = 14
WARM_UP_DAYS = 28
DAY_FEATURES = [
    "energy_kwh",
    "plug_ins",
    "plug_in_hour",
    "departure_hour",
    "dwell_h",
    "connected_h",
    "weekday",
]
WEEK_FEATURES = [
    "energy mean", "energy spread", "days with a plug-in", "plug-ins", "changes between days with and without",
    "plug-in hour mean", "plug-in hour spread", "departure hour mean", "departure hour spread", "dwell mean",
    "dwell spread", "connected", "weekend energy", "energy from day to day",
]  # fmt: skip


# ------------------------------------------------------------------ what days and weeks look like


def days_of(sessions: pd.DataFrame) -> pd.DataFrame:
    """One row a user and local day, without the first and last day of each window (a plug-in opens and closes it)."""
    parts = []
    for (user, window), own in sessions.groupby(["user", "window"]):
        start = own["start"].dt.tz_convert(ZONE).dt.tz_localize(None)
        end = own["end"].dt.tz_convert(ZONE).dt.tz_localize(None)
        dates = pd.date_range(start.iloc[0].normalize(), end.iloc[-1].normalize(), freq="D")
        if len(dates) < 4:
            continue
        hours = (own["end"] - own["start"]).dt.total_seconds() / 3600
        table = pd.DataFrame(
            {"user": user, "window": window, "date": dates, "weekday": dates.weekday}
        ).set_index("date", drop=False)
        by_start, by_end = start.dt.normalize(), end.dt.normalize()
        table["energy_kwh"] = own["energy_kwh"].groupby(by_start).sum().reindex(dates).fillna(0.0)
        table["plug_ins"] = own["energy_kwh"].groupby(by_start).size().reindex(dates).fillna(0)
        table["plug_in_hour"] = (
            ((start - by_start).dt.total_seconds() / 3600).groupby(by_start).min().reindex(dates)
        )
        table["departure_hour"] = (
            ((end - by_end).dt.total_seconds() / 3600).groupby(by_end).min().reindex(dates)
        )
        table["dwell_h"] = hours.groupby(by_start).mean().reindex(dates)
        opens = dates.to_numpy()[:, None]
        overlap = np.minimum(end.to_numpy(), opens + np.timedelta64(1, "D")) - np.maximum(
            start.to_numpy(), opens
        )
        table["connected_h"] = np.maximum(overlap / np.timedelta64(1, "h"), 0).sum(axis=1)
        parts.append(table.iloc[1:-1])
    return pd.concat(parts, ignore_index=True)


def weeks_of(days: pd.DataFrame) -> pd.DataFrame:
    """One row a user and whole week of seven days in a row."""
    rows = []
    for (user, _), own in days.groupby(["user", "window"]):
        for first in range(0, len(own) - 6, 7):
            week = own.iloc[first : first + 7]
            energy = week["energy_kwh"].to_numpy()
            is_plugged = week["plug_ins"].to_numpy() > 0
            is_weekend = week["weekday"].to_numpy() >= 5
            centred = energy - energy.mean()
            changes = float((is_plugged[1:] != is_plugged[:-1]).sum())
            rows.append(
                [user, energy.mean(), energy.std(), is_plugged.sum(), week["plug_ins"].sum(), changes,
                 week["plug_in_hour"].mean(), week["plug_in_hour"].std(), week["departure_hour"].mean(),
                 week["departure_hour"].std(), week["dwell_h"].mean(), week["dwell_h"].std(),
                 week["connected_h"].mean(), energy[is_weekend].sum() - energy.mean() * 2,
                 (centred[1:] * centred[:-1]).sum() / max((centred**2).sum(), 1e-9)]
            )  # fmt: skip
    return pd.DataFrame(rows, columns=["user", *WEEK_FEATURES])


def autocorrelation(days: pd.DataFrame) -> NDArray[np.float64]:
    """Mean over users of the autocorrelation of daily energy at lags of 1 to 14 days."""
    found = []
    for _, own in days.groupby(["user", "window"]):
        energy = own["energy_kwh"].to_numpy()
        if len(energy) >= 6 * 7 and energy.std() > 0:
            centred = energy - energy.mean()
            found.append(
                [(centred[lag:] * centred[:-lag]).mean() / (centred**2).mean() for lag in range(1, LAGS + 1)]
            )
    return np.mean(found, axis=0)


def intervals_h(sessions: pd.DataFrame) -> NDArray[np.float64]:
    """Hours from plug-in to plug-in within a window."""
    gaps = sessions.groupby(["user", "window"])["start"].diff().dropna()
    return gaps.dt.total_seconds().to_numpy() / 3600


def interval_distance(real: pd.DataFrame, other: pd.DataFrame) -> float:
    """W1 [h] of the intervals within a user: mean over users' deciles, each users' set sorted by its quantile."""

    def deciles(sessions: pd.DataFrame) -> NDArray[np.float64]:
        gaps = (
            sessions["start"].groupby([sessions["user"], sessions["window"]]).diff().dt.total_seconds() / 3600
        )
        own = [part.dropna().to_numpy() for _, part in gaps.groupby(sessions["user"])]
        return np.array([np.quantile(part, np.linspace(0.1, 0.9, 9)) for part in own if len(part) >= 10])

    one, two = deciles(real), deciles(other)
    return float(np.mean([wasserstein_distance(one[:, k], two[:, k]) for k in range(9)]))


def between_share(days: pd.DataFrame) -> NDArray[np.float64]:
    """Share of the variance that lies between users: energy, plug-in hour, departure hour, dwell, plug-ins."""
    shares = []
    for name in ("energy_kwh", "plug_in_hour", "departure_hour", "dwell_h", "plug_ins"):
        known = days[["user", name]].dropna()
        by_user = known.groupby("user")[name]
        large = by_user.transform("size") >= 10
        known = known[large]
        by_user = known.groupby("user")[name]
        within, between = by_user.var().mean(), by_user.mean().var()
        shares.append(between / (between + within))
    return np.array(shares)


def auroc(real: pd.DataFrame, other: pd.DataFrame, features: list[str]) -> float:
    """How well generated rows are told from real ones of users that the classifier has not seen."""
    values = np.concatenate([table[features].to_numpy(float) for table in (real, other)])
    label = np.repeat([0, 1], [len(real), len(other)])
    users = np.concatenate([(real["user"] + "/real").to_numpy(str), (other["user"] + "/other").to_numpy(str)])
    found = []
    for fit, judge in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(values, label, users):
        if len(np.unique(label[judge])) < 2:
            continue
        model = HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=20, random_state=0
        )
        model.fit(values[fit], label[fit])
        found.append(roc_auc_score(label[judge], model.predict_proba(values[judge])[:, 1]))
    return float(np.mean(found))


# ------------------------------------------------------------------ generators

Windows = list[tuple[str, pd.Timestamp, int]]


def windows_of(sessions: pd.DataFrame) -> Windows:
    """User, first local day and number of days of each window."""
    found = []
    for (user, _), own in sessions.groupby(["user", "window"]):
        start = own["start"].iloc[0].tz_convert(ZONE).tz_localize(None).normalize()
        end = own["end"].iloc[-1].tz_convert(ZONE).tz_localize(None).normalize()
        if (end - start).days >= 3:
            found.append((str(user), start, (end - start).days + 1))
    return found


def to_table(
    user: str,
    origin: pd.Timestamp,
    start: NDArray,
    end: NDArray,
    energy: Callable[[NDArray, NDArray], NDArray],
) -> pd.DataFrame:
    stamps = [
        (origin + pd.to_timedelta(np.round(part), unit="min"))
        .tz_localize(ZONE, ambiguous=np.ones(len(part), bool), nonexistent="shift_forward")
        .tz_convert("UTC")
        for part in (start, end)
    ]
    hours = [(part - origin.tz_localize(ZONE)).total_seconds().to_numpy() / 3600 for part in stamps]
    table = pd.DataFrame(
        {"user": user, "is_private": True, "start": stamps[0], "end": stamps[1], "energy_kwh": energy(*hours)}
    )
    return table[(table["end"] > table["start"]) & (table["energy_kwh"] > 0)]


def ours(behaviour: Behaviour, windows: Windows, seed: int) -> pd.DataFrame:
    """A generated person for each user, on the user's dates."""
    parts = []
    for user, first, days in windows:
        person = Person(behaviour, random_numbers.generator(seed, "person", user))
        stream = random_numbers.generator(seed, "days", user, str(first.date()))
        origin = first - pd.Timedelta(days=WARM_UP_DAYS)
        count = days + WARM_UP_DAYS
        stays, _ = live(person, (origin.weekday() + np.arange(count)) % 7, stream)
        start, end = (np.array([getattr(stay, name) for stay in stays]) for name in ("start_min", "end_min"))
        keys = np.array([stay.fraction_key for stay in stays])
        table = to_table(
            user, origin, start, end, lambda a, z, person=person, keys=keys: charge(person, a, z, keys)
        )
        zero = first.tz_localize(ZONE)
        parts.append(table[(table["start"] >= zero) & (table["end"] < zero + pd.Timedelta(days=days))])
    return clean_sessions(pd.concat(parts, ignore_index=True))


def bootstrap(train: pd.DataFrame, windows: Windows, seed: int, by_user: bool) -> pd.DataFrame:
    """Days (the sessions that begin on them) drawn one by one, workdays and weekends apart: of all users, or of one."""
    local = train["start"].dt.tz_convert(ZONE).dt.tz_localize(None)
    date = local.dt.normalize()
    minute = ((local - date).dt.total_seconds() / 60).to_numpy()
    dwell = ((train["end"] - train["start"]).dt.total_seconds() / 60).to_numpy()
    energy = train["energy_kwh"].to_numpy()
    pool: dict[tuple[str, bool], list[NDArray]] = {}
    for (user, _), own in train.groupby(["user", "window"]):
        days = pd.date_range(date[own.index[0]], date[own.index[-1]], freq="D")
        rows = {day: index.to_numpy() for day, index in own.groupby(date[own.index]).groups.items()}
        for day in days:
            key = (str(user) if by_user else "", day.weekday() >= 5)
            pool.setdefault(key, []).append(rows.get(day, np.array([], dtype=int)))
    users = sorted({key[0] for key in pool})
    parts = []
    for user, first, days in windows:
        stream = random_numbers.generator(seed, "bootstrap", user, str(first.date()))
        model = users[int(random_numbers.generator(seed, "model", user).integers(len(users)))]
        start, end, kwh = [], [], []
        for day in range(days):
            choices = pool.get((model, (first.weekday() + day) % 7 >= 5)) or [np.array([], dtype=int)]
            for row in choices[int(stream.integers(len(choices)))]:
                start.append(day * 1440 + minute[row])
                end.append(start[-1] + dwell[row])
                kwh.append(energy[row])
        if start:
            parts.append(
                to_table(user, first, np.array(start), np.array(end), lambda a, z, kwh=kwh: np.array(kwh))
            )
    return clean_sessions(pd.concat(parts, ignore_index=True))


# ------------------------------------------------------------------ the tables


def told_apart(real: pd.DataFrame, others: list[pd.DataFrame]) -> dict[str, float]:
    """AUROC of days and of weeks against the held-out users, a mean over sets."""
    one, sets = days_of(real), [days_of(part) for part in others]
    return {
        "AUROC, days": float(np.mean([auroc(one, part, DAY_FEATURES) for part in sets])),
        "AUROC, weeks": float(
            np.mean([auroc(weeks_of(one), weeks_of(part), WEEK_FEATURES) for part in sets])
        ),
    }


def apart(real: pd.DataFrame, others: list[pd.DataFrame]) -> dict[str, float]:
    """Distances of all sets together from the held-out users."""
    pooled = pd.concat([part.assign(user=part["user"] + f"/{k}") for k, part in enumerate(others)])
    one, two = days_of(real), days_of(pooled)
    acf = np.abs(autocorrelation(one) - autocorrelation(two))
    return {
        "ACF of daily energy at 7 days, distance": float(acf[6]),
        "ACF of daily energy at 1-14 days, mean distance": float(acf.mean()),
        "plug-in interval: W1 of users' deciles [h]": interval_distance(real, pooled),
        "share of variance between users, mean distance": float(
            np.abs(between_share(one) - between_share(two)).mean()
        ),
        "daily energy, W1 [kWh]": distance(one, two, "energy_kwh"),
        "plug-in hour, W1 [h]": distance(one, two, "plug_in_hour"),
        "departure hour, W1 [h]": distance(one, two, "departure_hour"),
        "dwell, W1 [h]": distance(one, two, "dwell_h"),
    }


def distance(one: pd.DataFrame, two: pd.DataFrame, name: str) -> float:
    """W1 of a feature of days, each user with the same weight."""
    parts = []
    for table in (one, two):
        known = table[["user", name]].dropna()
        parts.append((known[name].to_numpy(), 1 / known.groupby("user")[name].transform("size").to_numpy()))
    return float(wasserstein_distance(parts[0][0], parts[1][0], parts[0][1], parts[1][1]))


Sets = dict[str, list[pd.DataFrame]]


def generated(
    sessions: pd.DataFrame, train: list[str], held: list[str], seeds: int
) -> tuple[pd.DataFrame, Sets]:
    """The held-out users' sessions, and the sets of all generators, a set a seed."""
    known, real = (sessions[sessions["user"].isin(names)].reset_index(drop=True) for names in (train, held))
    behaviour = fit_behaviour(known, EvFitConfig())
    windows = windows_of(real)
    everyone = range(seeds)
    chosen = [
        random_numbers.generator(seed, "ceiling").choice(train, min(len(held), len(train)), replace=False)
        for seed in everyone
    ]
    return real, {
        "hidiff": [ours(behaviour, windows, seed) for seed in everyone],
        "independent days": [bootstrap(known, windows, seed, False) for seed in everyone],
        "independent days of one user": [bootstrap(known, windows, seed, True) for seed in everyone],
        "other real users": [known[known["user"].isin(names)] for names in chosen],
    }


def final_table(sessions: pd.DataFrame, train: list[str], held: list[str], seeds: int) -> pd.DataFrame:
    """Figures ``(generator, figure)`` on one split."""
    real, sets = generated(sessions, train, held, seeds)
    return pd.DataFrame(
        {name: told_apart(real, parts) | apart(real, parts) for name, parts in sets.items()}
    ).T


def folds_table(
    sessions: pd.DataFrame, users: list[str], folds: int, seeds: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Figures with each user held out once: AUROC as a mean of folds, the others over all users; and AUROC by fold."""
    order = np.random.default_rng(200).permutation(sorted(users))
    reals: list[pd.DataFrame] = []
    joined: dict[str, list[list[pd.DataFrame]]] = {}
    found = []
    for fold in range(folds):
        held = sorted(order[fold::folds])
        real, sets = generated(sessions, sorted(set(users) - set(held)), held, seeds)
        reals.append(real)
        for name, parts in sets.items():
            joined.setdefault(name, []).append(
                [part.assign(user=part["user"] + f"@{fold}") for part in parts]
            )
            found.append({"generator": name, "fold": fold} | told_apart(real, parts))
    by_fold = pd.DataFrame(found)
    everyone = pd.concat(reals, ignore_index=True)
    rest = pd.DataFrame(
        {
            name: apart(everyone, [pd.concat(one) for one in zip(*parts, strict=True)])
            for name, parts in joined.items()
        }
    ).T
    return by_fold.groupby("generator", sort=False).mean().drop(columns="fold").join(rest), by_fold


BETWEEN_DAYS = (
    "ACF of daily energy at 7 days, distance",
    "ACF of daily energy at 1-14 days, mean distance",
    "plug-in interval: W1 of users' deciles [h]",
    "share of variance between users, mean distance",
)
FINAL_SEED = 5
ATTRIBUTION = (
    "Fitted on: Sørensen, Å. L., Lindberg, K. B., Sartori, I., Andresen, I. (2021), Residential electric vehicle "
    "charging datasets from apartment buildings, Mendeley Data, doi:10.17632/jbks2rcwyj.1, CC BY 4.0. Parameters "
    "of a population; no session and no user is in this file."
)


def halves(users: list[str], seed: int) -> tuple[list[str], list[str]]:
    """Users to fit on, and 30 % to judge by."""
    order = np.random.default_rng(seed).permutation(sorted(users))
    held = round(0.3 * len(users)) + (seed == FINAL_SEED)  # 15 of 48 were put aside before anything was tried
    return sorted(order[held:]), sorted(order[:held])


def table_of(mean: pd.DataFrame) -> str:
    """Markdown: a row a figure, a column a generator, the limit beside them."""
    lines = [f"| | limit | {' | '.join(mean.index)} |", "|---|---|" + "---|" * len(mean)]
    for name in mean.columns:
        limit = f"≤ {LIMIT}" if name.startswith("AUROC") else ""
        if name in BETWEEN_DAYS:
            limit = f"< {mean.loc['independent days', name]:.3g}"
        values = " | ".join(f"{value:.3f}" if value < 1 else f"{value:.2f}" for value in mean[name])
        lines.append(f"| {name} | {limit} | {values} |")
    return "\n".join(lines)


def draw(sessions: pd.DataFrame, people: pd.DataFrame, users: list[str], path: Path) -> None:
    """Eight weeks, a line a day: connected (pale) and charging at the car's power (dark)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(users), figsize=(11, 8.5), sharex=True, sharey=True)
    for row, (title, table) in enumerate({"real user": sessions, "generated owner": people}.items()):
        for column, user in enumerate(users):
            axis = axes[row, column]
            own = table[table["user"] == user]
            start, end = (own[name].dt.tz_convert(ZONE).dt.tz_localize(None) for name in ("start", "end"))
            first = start.iloc[0].normalize()
            first += pd.Timedelta(days=(7 - first.weekday()) % 7)
            hours = (own["end"] - own["start"]).dt.total_seconds() / 3600
            power = np.quantile(own["energy_kwh"] / np.maximum(hours, 0.5), 0.98)
            full = np.minimum(start + pd.to_timedelta(own["energy_kwh"] / power, unit="h"), end)
            for stop, colour in ((end, "#b8d4ea"), (full, "#1f4e79")):
                for a, b in zip(
                    (start - first) / pd.Timedelta(hours=1),
                    (stop - first) / pd.Timedelta(hours=1),
                    strict=True,
                ):
                    for day in range(int(a // 24), int(b // 24) + 1):
                        if 0 <= day < 56:
                            low, high = max(a - 24 * day, 0), min(b - 24 * day, 24)
                            axis.barh(day, high - low, left=low, height=0.9, color=colour, linewidth=0)
            for weekend in range(8):
                axis.axhspan(7 * weekend + 4.5, 7 * weekend + 6.5, color="#f3f0e6", zorder=0)
            axis.set_title(f"{title} {column + 1}", fontsize=10)
            axis.set(xlim=(0, 24), ylim=(55.5, -0.5), xticks=range(0, 25, 6))
    for axis in axes[-1]:
        axis.set_xlabel("local hour")
    for axis in axes[:, 0]:
        axis.set_ylabel("day, from a Monday")
    figure.suptitle("Plugged in (pale) and charging (dark); weekends shaded", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3, help="persons a held-out user in the final split (3)")
    parser.add_argument(
        "--folds", type=int, default=3, help="folds over all users, two persons a user; 0: none (3)"
    )
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    sessions = clean_sessions(read_sessions(arguments.data))
    users = home_users(sessions)
    sessions = sessions[sessions["user"].isin(users)].reset_index(drop=True)
    if arguments.fit:
        note = {
            "attribution": ATTRIBUTION,
            "fitted_on": f"{len(users)} users, {len(sessions)} connections, 2018-12 to 2020-01",
        }
        print(write_behaviour(fit_behaviour(sessions, EvFitConfig()), arguments.fit, note))
        return
    train, held = halves(users, FINAL_SEED)
    if arguments.picture:
        known, real = (sessions[sessions["user"].isin(names)] for names in (train, held))
        longest = real.groupby("user").size().sort_values(ascending=False).index[:9]
        chosen = [user for user in sorted(longest) if (real["user"] == user).sum() > 40][:3]
        people = ours(fit_behaviour(known, EvFitConfig()), [w for w in windows_of(real) if w[0] in chosen], 0)
        draw(real, people, chosen, arguments.picture)
        print(arguments.picture)
        return
    print(
        f"Final split: {len(train)} users to fit on, {len(held)} held out, {arguments.seeds} persons each\n"
    )
    print(table_of(final_table(sessions, train, held, arguments.seeds)), flush=True)
    if arguments.folds:
        table, by_fold = folds_table(sessions, users, arguments.folds, 2)
        print(f"\nEach of the {len(users)} users held out once, in {arguments.folds} folds, 2 persons each\n")
        print(table_of(table))
        mine = by_fold[by_fold["generator"] == "hidiff"]
        print(
            f"\nhidiff, AUROC by fold: days {', '.join(f'{v:.3f}' for v in mine['AUROC, days'])}; "
            f"weeks {', '.join(f'{v:.3f}' for v in mine['AUROC, weeks'])}"
        )


if __name__ == "__main__":
    main()
