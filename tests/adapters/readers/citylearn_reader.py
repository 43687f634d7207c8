"""Run in an environment with CityLearn: open a data set, step through it, print what CityLearn made of it."""

import json
import sys

import citylearn
import numpy as np
from citylearn.citylearn import CityLearnEnv

env = CityLearnEnv(sys.argv[1], interface="flat", render_mode="none")
env.reset()
done, steps = False, 0
while not done:
    _, _, terminated, truncated, _ = env.step([np.zeros(space.shape[0]) for space in env.action_space])
    done, steps = terminated or truncated, steps + 1
result = {
    "version": citylearn.__version__,
    "steps": steps,
    "seconds_per_time_step": env.seconds_per_time_step,
    "ratio": env.time_step_ratio,
    "buildings": {
        building.name: {
            "load_kwh": np.asarray(building.energy_simulation.non_shiftable_load, dtype=float).tolist(),
            "pv_kwh": (-np.asarray(building.solar_generation, dtype=float)).tolist(),
            "net_kwh": np.asarray(building.net_electricity_consumption, dtype=float).tolist(),
            "price": np.asarray(building.pricing.electricity_pricing, dtype=float).tolist(),
            "hour": np.asarray(building.energy_simulation.hour).tolist(),
            "battery_kwh": float(building.electrical_storage.capacity),
            "cars": {
                charger.charger_id: [
                    np.asarray(charger.charger_simulation.electric_vehicle_charger_state).tolist(),
                    np.asarray(charger.charger_simulation.electric_vehicle_departure_time).tolist(),
                    np.asarray(charger.charger_simulation.electric_vehicle_estimated_soc_arrival).tolist(),
                ]
                for charger in building.electric_vehicle_chargers or []
            },
        }
        for building in env.buildings
    },
}
env.reset()
env.step(
    [
        np.full(space.shape[0], 0.1 if number == len(env.action_space) - 1 else 0.0)
        for number, space in enumerate(env.action_space)
    ]
)
charged = env.buildings[-1].electrical_storage
result["soc"] = np.asarray(charged.soc[:2], dtype=float).tolist()
result["charged_kwh"] = float(charged.electricity_consumption[0])
print(json.dumps(result))
