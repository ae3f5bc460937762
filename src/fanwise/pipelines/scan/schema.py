"""What an extraction is: the shape a model answers in.

Pydantic, and therefore imported only where an answer is asked for or held against it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_NAME = "scan_extraction"


class FoundShipment(BaseModel):
    """One shipment that a conversation speaks of."""

    model_config = ConfigDict(extra="forbid")

    tracking_number: str = Field(description="The carrier's tracking number as the mail has it.")
    carrier: str | None = Field(description="The carrier's name, or null where it is not clear.")
    po_number: str | None = Field(
        description="The buyer's purchase order or order number for this shipment, or null."
    )
    shipped_date: str | None = Field(
        description="The day it was handed to the carrier as YYYY-MM-DD, or null."
    )
    confidence: float = Field(ge=0, le=1, description="How certain you are, from 0 to 1.")


class Extraction(BaseModel):
    """Everything that is taken out of one conversation."""

    model_config = ConfigDict(extra="forbid", title=SCHEMA_NAME)

    supplier: str | None = Field(
        description="The company that ships: from its signature, else its mail domain, else the "
        "sender's name. Never the carrier."
    )
    shipments: list[FoundShipment]
