"""The table and picture of docs/heat_pumps.md: are heat pumps of drawn houses what field trials measured?

    python benchmarks/heat_pump.py --weather ../shared/data/weather/FILE.parquet [--picture docs/heat_pumps.png]

The file has ``local_time`` (naive standard time of Sydney) and ``temperature_c`` in half-hours.
"""

import argparse
import time as clock
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hidiff.data.solar import SYDNEY_STANDARD_TIME
from hidiff.figure_style import INK, LOAD, PV, QUIET, new_figure, styled
from hidiff.output import replace_when_done
from hidiff.scenarios.diurnal import diurnal_temperature
from hidiff.scenarios.heat_pump import HeatDemand, facade_sun, heat_demand, summary
from hidiff.scenarios.heat_pump_houses import HeatPumpConfig, draw_houses

ZONE = "Australia/Sydney"
HOMES = 100
CLEARNESS = 0.7
REVERSE_CYCLE = HeatPumpConfig()
BRITISH = replace(
    REVERSE_CYCLE, emitter="radiator", is_cooling=False, conditioned_share=(0.9, 1.0), design_outdoor_c=-3.0,
    set_back_k=(1.0, 4.0),
)  # fmt: skip
COLDER_K = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weather", type=Path, required=True)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    table = pd.read_parquet(given.weather)
    time = pd.DatetimeIndex(table["local_time"]).tz_localize(SYDNEY_STANDARD_TIME).tz_convert("UTC")
    outdoor = table["temperature_c"].to_numpy(dtype=np.float64)
    names = [f"h{number:03d}" for number in range(HOMES)]
    results: dict[str, tuple[HeatDemand, pd.DataFrame]] = {}
    for case, config, shift in (("sydney", REVERSE_CYCLE, 0.0), ("colder", BRITISH, COLDER_K)):
        houses = draw_houses(names, config, given.seed)
        begun = clock.process_time()
        found = heat_demand(
            houses, time=time, time_zone=ZONE, temperature_c=outdoor - shift, config=config,
            sun_kw_m2=facade_sun(time, CLEARNESS, config),
        )  # fmt: skip
        years = len(time) / 17520
        per_home_year = (clock.process_time() - begun) / HOMES / years
        results[case] = found, houses
        if case == "sydney":
            seconds = per_home_year
    _print(results, time, outdoor, seconds)
    if given.picture:
        with replace_when_done(given.picture) as temporary:
            picture(results["sydney"][0], results["sydney"][1], time, outdoor).savefig(
                temporary, dpi=150, format="png", metadata={"Software": ""}
            )


def _print(
    results: dict[str, tuple[HeatDemand, pd.DataFrame]],
    time: pd.DatetimeIndex,
    outdoor: np.ndarray,
    seconds: float,
) -> None:
    figures = {case: summary(found, houses, 0.5) for case, (found, houses) in results.items()}
    sydney, colder = figures["sydney"], figures["colder"]
    found = results["sydney"][0]
    mean = pd.Series(found.heat_kw.mean(0), index=time.tz_convert(ZONE))
    daily = pd.DataFrame(
        {"kwh": mean.resample("D").sum() / 2, "c": pd.Series(outdoor, index=mean.index).resample("D").mean()}
    )
    winter, summer = daily[daily.index.month.isin([6, 7, 8])], daily[daily.index.month.isin([12, 1, 2])]
    heat, cold = (float(x.sum()) for x in (found.heating_kw, found.cooling_kw))
    peak = mean.idxmax()
    winter_mean = mean[mean.index.month.isin([6, 7, 8])]
    evening = winter_mean[(winter_mean.index.hour >= 17) & (winter_mean.index.hour < 21)]
    print(
        f"| {HOMES} homes, {len(time) / 17520:.0f} years of Sydney's weather | measured | published | source |"
    )
    print("|---|---|---|---|")
    rows = [
        (
            "electricity, kWh a home and year",
            f"{sydney['annual_kwh']:,.0f}",
            "about 1,680, derived",
            "a",
        ),
        ("the same, kWh per m2 of the whole floor", f"{sydney['annual_kwh_per_m2']:.1f}", "", ""),
        ("heat to cold delivered", f"{heat / cold:.1f}", "", ""),
        ("peak of a home, kW (mean of homes)", f"{sydney['peak_kw']:.2f}", "", ""),
        ("peak after diversity, kW a home", f"{sydney['after_diversity_peak_kw']:.2f}", "", ""),
        ("its time", f"{peak:%Y-%m-%d %H:%M}, {outdoor[int(np.argmax(mean.to_numpy()))]:.1f} degC", "", ""),
        ("load factor of the homes together", f"{sydney['load_factor']:.3f}", "", ""),
        ("seasonal performance, heating and cooling", f"{sydney['performance_factor']:.2f}", "", ""),
        ("share of winter energy in 17 to 21 h", f"{evening.sum() / winter_mean.sum():.2f}", "", ""),
        ("daily energy and temperature, correlation in winter", f"{winter.corr().iloc[0, 1]:.2f}", "", ""),
        ("the same in summer", f"{summer.corr().iloc[0, 1]:.2f}", "", ""),
        ("processor time, s a home-year (100 together)", f"{seconds:.4f}", "limit 0.1", ""),
        (
            f"radiators, {COLDER_K:g} K colder: seasonal performance",
            f"{colder['performance_factor']:.2f}",
            "2.80 (median)",
            "b",
        ),
        ("the same: peak after diversity, kW a home", f"{colder['after_diversity_peak_kw']:.2f}", "1.7", "c"),
        ("the same: peak of a home, kW", f"{colder['peak_kw']:.2f}", "", ""),
        ("the same: electricity, kWh a home and year", f"{colder['annual_kwh']:,.0f}", "", ""),
        ("the same: load factor", f"{colder['load_factor']:.2f}", "", ""),
    ]
    for row in rows:
        print("| " + " | ".join(row) + " |")
    local = pd.Series(outdoor, index=time.tz_convert(SYDNEY_STANDARD_TIME))
    by_day = local.groupby(local.index.normalize())
    days = pd.DatetimeIndex(by_day.max().index)
    curve = diurnal_temperature(by_day.max(), by_day.min(), days.day_of_year)
    error = curve - outdoor
    print(f"\nDiurnal curve from daily extremes: root mean square error {np.sqrt((error**2).mean()):.2f} K, "
          f"mean error {error.mean():+.2f} K")  # fmt: skip


@styled
def picture(found: HeatDemand, houses: pd.DataFrame, time: pd.DatetimeIndex, outdoor: np.ndarray) -> Figure:
    """The coldest week: outdoor and indoor temperature of three homes, their electricity and the mean of all."""
    week = 7 * 48
    smooth = np.convolve(outdoor, np.ones(week) / week, mode="valid")
    local = time.tz_convert(ZONE)
    midnights = np.flatnonzero((local.hour == 0) & (local.minute == 0))
    begin = int(min(midnights[midnights < len(smooth)], key=lambda at: smooth[at]))
    part = slice(begin, begin + week)
    stamps = local[part].tz_localize(None)
    figure = new_figure(8.5, 5.2)
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.plot(stamps, outdoor[part], color=QUIET, label="outdoors")
    area = houses["floor_m2"].to_numpy()
    for home, colour in zip(np.argsort(area)[[20, 50, 80]], (PV, LOAD, INK), strict=True):
        label = f"{area[home]:.0f} m², set to {houses['heating_set_c'].iloc[home]:.1f} °C"
        top.plot(stamps, found.indoor_c[home, part], color=colour, label=label, linewidth=1.1)
        bottom.plot(stamps, found.heat_kw[home, part], color=colour, linewidth=0.9, drawstyle="steps-post")
    bottom.fill_between(
        stamps,
        found.heat_kw[:, part].mean(0),
        step="post",
        color=QUIET,
        alpha=0.45,
        label=f"mean of {len(area)} homes",
    )
    top.set_ylabel("temperature [°C]")
    top.set_title(f"Coldest week: {stamps[0]:%d %B %Y} on")
    bottom.set_ylabel("heat_kw [kW]")
    for axes in (top, bottom):
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


if __name__ == "__main__":
    main()
