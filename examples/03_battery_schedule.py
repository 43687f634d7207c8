"""The cheapest battery schedule of a home (Pyomo, solved by HiGHS), replayed in the environment to the cent.

python examples/03_battery_schedule.py --days 7
"""

import argparse
from pathlib import Path

import numpy as np

import hidiff
from hidiff.adapters.pyomo_home import optimise_home, replay
from hidiff.envs import HomeEnv, do_nothing, import_price_per_kwh, self_consumption, simulate
from hidiff.home import Battery, Home, Tariff


def main() -> None:
    """Print the bills of an idle, a rule-based and an optimal battery, and the optimal first day."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=1, help="number of new homes; the last one is scheduled")
    parser.add_argument("--days", type=int, default=7, help="days to schedule")
    parser.add_argument("--start", default="2030-01-07", help="first local day")
    parser.add_argument("--seed", type=int, default=1, help="seed of the homes")
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    arguments = parser.parse_args()

    # One description of the home drives both the environment and the optimiser.
    home = Home(
        battery=Battery(capacity_kwh=10, soc_initial=0.0),  # empty at the start, so nothing is given for free
        tariff=Tariff.time_of_use(),
        pv_capacity_kwp=5,  # the generated PV, scaled to this size
    )
    traces = hidiff.load(arguments.model).sample(homes=arguments.homes, seed=arguments.seed)
    env = HomeEnv(traces, home, episode_days=arguments.days, end_value_per_kwh=0.0)
    episode = {"home": traces.names[-1], "start": arguments.start}

    idle = simulate(env, do_nothing, options=episode)
    rule = simulate(env, self_consumption, options=episode)
    best = optimise_home(home, env.load_kw, env.pv_kw, env.time, time_zone=traces.time_zone)
    replayed = replay(best, env, options=episode)

    print(f"home {episode['home']}, {arguments.days} days from {arguments.start}")
    print(f"battery idle                  {idle.cost:8.2f}")
    print(f"rule: store every surplus     {rule.cost:8.2f}")
    print(f"optimum, by the solver        {best.cost:8.2f}")
    print(f"optimum, replayed in the env  {replayed.cost:8.2f}")

    print(
        "\noptimal first day: local time, import price, load, PV and battery power (> 0 charges) [kW], charge"
    )
    price = import_price_per_kwh(home.tariff, env.time, traces.time_zone)
    local = env.time.tz_convert(traces.time_zone)
    battery_kw, soc = best.battery_kw.round(2) + 0.0, best.soc.round(2) + 0.0  # + 0.0: no minus zeros
    for t in np.arange(0, min(48, len(local)), 4):
        print(
            f"{local[t]:%H:%M}  {price[t]:5.2f}  {env.load_kw[t]:6.2f} {env.pv_kw[t]:6.2f} "
            f"{battery_kw[t]:+6.2f}  {soc[t]:5.0%}"
        )


if __name__ == "__main__":
    main()
