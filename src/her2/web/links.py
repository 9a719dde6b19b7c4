"""What leads from one operation to another, for the OpenAPI description: which field of an answer is the id of what."""

from __future__ import annotations

from typing import Any

JOB = ("one_api_jobs__id__get", "forget_api_jobs__id__delete", "cancel_api_jobs__id__cancel_post",
       "resume_api_jobs__id__resume_post", "result_api_jobs__id__result_get", "file_list_api_jobs__id__files_get",
       "events_api_jobs__id__events_get")  # fmt: skip
"""Operations on the job of an answer."""
LISTS = {
    "/api/trials": ("trials", "/api/trials/{id}"),
    "/api/cells": ("cells", "/api/cells/{id}"),
    "/api/agents": ("agents", "/api/agents/{id}"),
    "/api/regimens": ("regimens", "/api/regimens/{id}"),
    "/api/mechanisms": ("mechanisms", "/api/mechanisms/{id}"),
    "/api/jobs": ("jobs", "/api/jobs/{id}"),
}
"""List, its field, and where an item of it is shown."""


def add_links(description: dict[str, Any]) -> None:
    """Write the links into a description.

    Raises
    ------
    KeyError
        If an operation that a link names is not described.
    """
    paths = description["paths"]
    known = {o["operationId"]: o for item in paths.values() for o in item.values()}
    for path, (field, one) in LISTS.items():
        target = paths[one]["get"]["operationId"]
        paths[path]["get"]["responses"]["200"]["links"] = {
            "first": {
                "operationId": target, "parameters": {"id": f"$response.body#/{field}/0/id"},
                "description": "the first of the list",
            }
        }  # fmt: skip
    for path, method, status in (
        ("/api/jobs", "post", "202"), ("/api/jobs/{id}", "get", "200"),
        ("/api/jobs/{id}/cancel", "post", "200"), ("/api/jobs/{id}/resume", "post", "200"),
    ):  # fmt: skip
        paths[path][method]["responses"][status]["links"] = {
            known[name]["summary"].lower().replace(" ", "_"): {
                "operationId": name, "parameters": {"id": "$response.body#/id"},
            }
            for name in JOB
            if paths[path][method]["operationId"] != name
        }  # fmt: skip
    files = paths["/api/jobs/{id}/files"]["get"]["responses"]["200"]
    files["links"] = {
        "first_file": {
            "operationId": paths["/api/jobs/{id}/files/{name}"]["get"]["operationId"],
            "parameters": {"id": "$request.path.id", "name": "$response.body#/files/0/name"},
            "description": "the first file",
        }
    }
    start = paths["/api/jobs"]["post"]["responses"]["202"]
    start["headers"] = {
        "Location": {"description": "address of the job", "required": True, "schema": {"type": "string"}}
    }
