"""What all wire types are made of, and the error that every route may answer with."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from appliance import invalid

Name = Annotated[str, Field(min_length=1, max_length=200)]
Password = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024)]
"""As it was typed: a space may be part of it."""
GroupName = Annotated[str, Field(pattern=invalid.GROUP_NAME)]


class In(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Out(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(Out):
    """Every error: a stable code for programs and a message for people that says what to do."""

    code: str
    message: str
