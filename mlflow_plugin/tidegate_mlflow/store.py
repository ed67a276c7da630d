"""The gated model registry: MLflow's SQL store, in which every version needs a decision.

What is put over MLflow's methods stands in `registering`, `using`, `removing`, `tagging`,
`deploying` and `claiming`. Always holds: no row of this store is READY for an instant without an
allowing decision, prompts are left to MLflow, and nothing is answered by a 5xx.
"""

from __future__ import annotations

from tidegate.errors import TidegateError
from tidegate_mlflow import answers, apps, host
from tidegate_mlflow.claiming import Claiming
from tidegate_mlflow.deploying import Deploying
from tidegate_mlflow.noted import Noted
from tidegate_mlflow.removing import Removing
from tidegate_mlflow.tagging import Tagging


class GatedStore(Deploying, Claiming, Noted, Removing, Tagging, host.SqlAlchemyStore):
    """The gated registry of a server without workspaces."""


class GatedWorkspaceStore(
    Deploying, Claiming, Noted, Removing, Tagging, host.WorkspaceAwareSqlAlchemyStore
):
    """The gated registry of a server with workspaces."""


def open_store(database: str) -> GatedStore | GatedWorkspaceStore:
    """The gated registry on a database, with workspaces where the server keeps them apart.

    Args:
        database: a SQLAlchemy URL, without our prefix.

    Raises:
        MlflowException: the gate can't work: a policy with errors, a ledger out of reach. A
            server that asks for its store then does not start.
    """
    apps.warn_where_unguarded()
    kind = GatedWorkspaceStore if host.workspaces_enabled() else GatedStore
    try:
        return kind(database, read_db_uri=host.read_replica_uri())
    except TidegateError as error:
        raise answers.invalid(f"Tidegate can't start: {error.explain()}") from error
    except ModuleNotFoundError as error:
        # SQLAlchemy imports a database's driver when the engine is made.
        kind_of_database = database.partition(":")[0]
        raise answers.invalid(
            f"Tidegate can't start: the registry's database {kind_of_database!r} needs the Python "
            f"package {error.name!r}, which is not installed. To mend it: install that driver, or "
            "name another one, as in tidegate+mysql+pymysql://…"
        ) from error
