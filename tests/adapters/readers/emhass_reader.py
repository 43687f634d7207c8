"""Run in an environment with EMHASS: read a home's forecast files by its csv methods."""

import asyncio
import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from emhass.forecast import Forecast

folder, time_zone, step = Path(sys.argv[1]), sys.argv[2], pd.Timedelta(sys.argv[3])
prediction_steps, start = int(sys.argv[4]), sys.argv[5]
hass = {
    "optimization_time_step": step, "time_zone": time_zone, "method_ts_round": "first",
    "sensor_power_photovoltaics": "pv", "sensor_power_photovoltaics_forecast": "pv_forecast",
    "sensor_power_load_no_var_loads": "load", "Latitude": -33.9, "Longitude": 151.2,
}  # fmt: skip
forecast = Forecast(
    hass, {"delta_forecast_daily": pd.Timedelta(days=1)}, {},
    {"passed_data": {"prediction_horizon": prediction_steps, "forecast_start": start}},
    {"data_path": folder}, logging.getLogger(),
)  # fmt: skip
load = asyncio.run(forecast.get_load_forecast(method="csv"))
weather = asyncio.run(forecast.get_weather_forecast(method="csv"))
pv = forecast.get_power_from_weather(weather)
table = pd.DataFrame({"load": load, "pv": pv})
result = {
    "version": version("emhass"),
    "start": forecast.forecast_dates[0].isoformat(),
    "load_w": load.tolist(),
    "pv_w": pv.tolist(),
    "import_price": forecast.get_load_cost_forecast(table.copy(), method="csv")["unit_load_cost"].tolist(),
    "export_price": forecast.get_prod_price_forecast(table.copy(), method="csv")["unit_prod_price"].tolist(),
}
print(json.dumps(result))
