"""The page imports."""

from fastapi import APIRouter

from services.dashboard.pages.desk import Desk


def router(desk: Desk) -> APIRouter:
    return APIRouter(tags=["imports"])
