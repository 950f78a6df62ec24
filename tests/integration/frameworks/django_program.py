"""Connects to the application of the guide to Django, in a project made of its files: prints who the clients are."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

from fastsio.exceptions import ConnectionRefusedError
from fastsio.testing import TestClient

sys.path.insert(0, str(Path.cwd()))
settings.configure(
    SECRET_KEY="secret",  # noqa: S106 - of a test
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF="django.conf.urls.i18n",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"  # configured above, so it is not imported
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402 - after setup
from django.contrib.auth.models import User  # noqa: E402 - as above
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402 - as above
from project.asgi import application  # noqa: E402 - as above

ann = User.objects.create_user("ann")
session = SessionStore()
session[SESSION_KEY] = str(ann.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = ann.get_session_auth_hash()
session.save()


async def main() -> None:
    """Connect with the session of a user, and without one."""
    said = []
    async with TestClient(application, headers={"Cookie": f"sessionid={session.session_key}"}) as client:
        await client.connect()
        said.append(await client.call("whoami"))
    async with TestClient(application) as stranger:
        try:
            await stranger.connect()
        except ConnectionRefusedError as refused:
            said.append(str(refused))
    sys.stdout.write(json.dumps(said))


asyncio.run(main())
