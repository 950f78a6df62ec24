"""The user of a connection, which is found once, in ``connect``, and kept until the client has left."""

from typing import Annotated

from pydantic import ValidationError

from fastsio import Auth, Depends, SocketID, exceptions

from .models import SignIn, User


def get_user(sid: SocketID, auth: Auth) -> User:
    """
    Turn what the page sent as ``auth`` into a user.

    Raises:
        ConnectionRefusedError: There is no usable name in it.
    """
    try:
        sign_in = SignIn.model_validate(auth)
    except ValidationError as error:
        raise exceptions.ConnectionRefusedError("Choose a name of 1 to 24 characters.") from error
    return User(id=sid, name=sign_in.name)


CurrentUser = Annotated[User, Depends(get_user, scope="connection")]
