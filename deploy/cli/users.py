"""`fengxiang users`: who may sign in to the dashboard with a password."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from dashboard.access_users import AccessError, Book
from deploy.cli import UserError
from deploy.settings import load

command = typer.Typer(no_args_is_help=True, help="Who may sign in to the dashboard. 看板用户")
Name = Annotated[str, typer.Argument(help="The name to sign in with. 用户名")]


class Role(StrEnum):
    viewer = "viewer"
    editor = "editor"


@command.command("list")
def list_users() -> None:
    """Names and roles. 列表"""
    with _book() as book:
        for user in sorted(book.users().values(), key=lambda user: user.name):
            print(f"{user.name:<24}{user.role}")


@command.command("add")
def add_user(
    name: Name, role: Annotated[Role, typer.Option(help="Viewers read, editors also correct. 角色")] = Role.viewer
) -> None:
    """Add a user; asks for the password, or reads a line of standard input. 新增"""
    with _book() as book:
        if book.find(name):
            raise UserError(f"{name!r} is there already: fengxiang users password, role or remove changes that")
        book.put(name, role, _password())
        print(f"{name} ({role}) -> {book.path}")
    if load().dashboard.access != "password":
        print("users sign in once FENGXIANG_DASHBOARD__ACCESS=password is set and the dashboard started again")


@command.command("password")
def change_password(name: Name) -> None:
    """Give a user another password; ends that user's sessions. 改密码"""
    with _book() as book:
        user = book.known(name)
        book.put(user.name, user.role, _password())


@command.command("role")
def change_role(name: Name, role: Annotated[Role, typer.Argument(help="viewer or editor. 角色")]) -> None:
    """Make a user viewer or editor, at once. 改角色"""
    with _book() as book:
        book.set_role(name, role)


@command.command("remove")
def remove_user(name: Name) -> None:
    """Remove a user; ends that user's sessions. 删除"""
    with _book() as book:
        book.remove(name)


@contextmanager
def _book() -> Iterator[Book]:
    try:
        yield Book(load().dashboard_users)
    except AccessError as error:
        raise UserError(str(error)) from error


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("密码 Password", hide_input=True, confirmation_prompt="再输一次 Once more"))
    return sys.stdin.readline().rstrip("\r\n")
