"""Uses Marathon through the Python library python3-marathon, for a test: it deploys an
app, follows the event stream, scales, kills and deletes, and says what it saw."""
import sys
import threading
import time

from marathon import MarathonClient, NotFoundError
from marathon.models import MarathonApp
from marathon.models.app import PortDefinition
from marathon.models.events import MarathonStatusUpdateEvent

PATIENCE = 60  # seconds


def until(what, check):
    """Polls until check is true, and returns what it returned."""
    end = time.time() + PATIENCE
    while time.time() < end:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit("error: " + what)


def quiet(client):
    until("deployments go on", lambda: not client.list_deployments())


def main(url):
    client = MarathonClient(url, timeout=10)
    print("ping", client.ping().strip().decode())
    print("info", client.get_info().name)

    states = []
    follower = MarathonClient(url)

    def follow():
        for event in follower.event_stream(event_types=[MarathonStatusUpdateEvent]):
            states.append((event.app_id, event.task_status))

    threading.Thread(target=follow, daemon=True).start()
    time.sleep(0.5)  # for the stream: nothing tells the library's user that it is open

    app = client.create_app("/py/web", MarathonApp(
        cmd="sleep 1000", cpus=0.1, mem=32, instances=1, labels={"tier": "front"},
        port_definitions=[PortDefinition(port=0, name="http")]))
    print("created", app.id)
    quiet(client)
    running = client.list_tasks("/py/web")
    print("tasks", len(running), running[0].state, len(running[0].ports))
    until("no event of a running task", lambda: ("/py/web", "TASK_RUNNING") in states)
    print("heard TASK_RUNNING")
    print("by label", [a.id for a in client.list_apps(label="tier==front", embed_tasks=True)])
    print("endpoints", len(client.list_endpoints()))

    client.scale_app("/py/web", instances=3)
    quiet(client)
    print("scaled", client.get_app("/py/web").tasks_running)
    print("versions", len(client.list_versions("/py/web")))
    first = client.get_version("/py/web", min(client.list_versions("/py/web")))
    print("first version had", first.instances)

    victim = client.list_tasks("/py/web")[0]
    client.kill_task("/py/web", victim.id, scale=True)
    until("the killed task stays", lambda: victim.id not in [t.id for t in client.list_tasks("/py/web")])
    quiet(client)
    print("after a kill", client.get_app("/py/web").instances)
    client.restart_app("/py/web")
    quiet(client)
    print("queue", len(client.list_queue()))
    print("groups", sorted(g.id for g in client.list_groups()))
    client.delete_app("/py/web")
    quiet(client)
    try:
        client.get_app("/py/web")
        print("error: the app is still there")
    except NotFoundError:
        print("deleted")


main(sys.argv[1])
