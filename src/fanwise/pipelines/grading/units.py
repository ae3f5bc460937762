"""Units of measure: which quantity a unit measures, and how large it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

# One line a unit: quantity, size in the quantity's base unit, names.
_TABLE = """
money 1 dollar dollars usd buck bucks
money 1/100 cent cents ¢
euro 1 euro euros eur
euro 1/100 eurocent eurocents
pound_sterling 1 gbp quid
pound_sterling 1/100 pence penny
yen 1 yen jpy
rupee 1 rupee rupees inr
length 1 m metre metres meter meters
length 1/1000 mm millimetre millimetres millimeter millimeters
length 1/100 cm centimetre centimetres centimeter centimeters
length 1/10 dm decimetre decimetres decimeter decimeters
length 1000 km kilometre kilometres kilometer kilometers
length 1/1000000 µm μm um micrometre micrometres micrometer micrometers micron microns
length 1/1000000000 nm nanometre nanometres nanometer nanometers
length 0.0254 in inch inches ″
length 0.3048 ft foot feet ′
length 0.9144 yd yds yard yards
length 1609.344 mi mile miles
mass 1 g gram grams gramme grammes
mass 1/1000 mg milligram milligrams
mass 1/1000000 µg μg mcg microgram micrograms
mass 1000 kg kgs kilo kilos kilogram kilograms
mass 1000000 t tonne tonnes
mass 453.59237 lb lbs pound pounds
mass 28.349523125 oz ounce ounces
time 1 s sec secs second seconds
time 1/1000 ms millisecond milliseconds
time 60 min mins minute minutes
time 3600 h hr hrs hour hours
time 86400 day days
time 604800 week weeks wk wks
months 1 month months
months 12 year years yr yrs
volume 1 l L litre litres liter liters dm³ dm^3
volume 1/1000 ml mL millilitre millilitres milliliter milliliters cm³ cm^3 cc
volume 1/100 cl cL centilitre centilitres centiliter centiliters
volume 1000 m³ m^3
volume 3.785411784 gal gallon gallons
volume 0.946352946 qt quart quarts
volume 0.473176473 pt pint pints
area 1 m² m^2
area 1/10000 cm² cm^2
area 1/1000000 mm² mm^2
area 1000000 km² km^2
area 10000 ha hectare hectares
area 0.09290304 ft² ft^2
speed 1 m/s
speed 5/18 km/h kph kmh
speed 0.44704 mph mi/h
acceleration 1 m/s² m/s^2
celsius 1 °C ℃
fahrenheit 1 °F ℉
temperature 1 K kelvin kelvins
angle 1 ° degree degrees deg
force 1 N newton newtons
force 1000 kN kilonewton kilonewtons
energy 1 J joule joules
energy 1000 kJ kilojoule kilojoules
energy 3600000 kWh
energy 4.184 cal calorie calories
energy 4184 kcal kilocalorie kilocalories
power 1 W watt watts
power 1/1000 mW milliwatt milliwatts
power 1000 kW kilowatt kilowatts
power 1000000 MW megawatt megawatts
pressure 1 Pa pascal pascals
pressure 1000 kPa kilopascal kilopascals
pressure 100000 bar bars
voltage 1 V volt volts
voltage 1/1000 mV millivolt millivolts
voltage 1000 kV kilovolt kilovolts
current 1 A amp amps ampere amperes
current 1/1000 mA milliamp milliamps
resistance 1 Ω ohm ohms
resistance 1000 kΩ kilohm kilohms
frequency 1 Hz hertz
frequency 1000 kHz kilohertz
frequency 1000000 MHz megahertz
frequency 1000000000 GHz gigahertz
data 1 byte bytes
data 1000 kB kilobyte kilobytes
data 1000000 MB megabyte megabytes
data 1000000000 GB gigabyte gigabytes
amount 1 mol mole moles
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of measure.

    Args:
        name: As it is written.
        quantity: What it measures; units of different quantities never compare.
        size: In the quantity's base unit.
    """

    name: str
    quantity: str
    size: Fraction


def _read() -> Mapping[str, Unit]:
    found: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        quantity, size, *names = line.split()
        for name in names:
            found[name] = Unit(name=name, quantity=quantity, size=Fraction(size))
    return MappingProxyType(found)


UNITS = _read()
_LONG = MappingProxyType(
    {name.casefold(): unit for name, unit in UNITS.items() if len(name) > 2 and name.isalpha()}
)
CURRENCIES: Mapping[str, Unit] = MappingProxyType(
    {
        "$": UNITS["dollar"],
        "€": UNITS["euro"],
        "£": UNITS["gbp"],
        "¥": UNITS["yen"],
        "₹": UNITS["rupee"],
    }
)


def unit_named(name: str) -> Unit | None:
    """The unit of that name. Short names keep their case (mW is not MW), long ones do not."""
    return UNITS.get(name) or _LONG.get(name.casefold())
