// Uses Marathon through two npm packages, for a test: marathon-node deploys, scales and
// deletes an app, marathon-event-bus-client hears of it.
"use strict";

const Marathon = require("marathon-node");
const MarathonEventBusClient = require("marathon-event-bus-client");
const [url, host, port] = process.argv.slice(2);

const api = Marathon(url);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const heard = [];

async function until(what, check) {
    for (const end = Date.now() + 60000; Date.now() < end; await pause(50)) {
        if (await check()) return;
    }
    throw new Error(what);
}

const quiet = () => until("deployments go on", async () => (await api.deployments.getList()).length === 0);

async function use() {
    await api.app.create({ id: "/js/web", cmd: "sleep 1000", cpus: 0.1, mem: 32, instances: 1 });
    await quiet();
    const { app } = await api.app.getOne("/js/web");
    console.log("running", app.tasksRunning, app.tasks[0].state);
    await until("no event of the running task", () => heard.some((e) => e.appId === "/js/web" && e.taskStatus === "TASK_RUNNING"));
    console.log("heard TASK_RUNNING");
    await api.app.update("/js/web", { instances: 2 });
    await quiet();
    console.log("scaled", (await api.tasks.getList()).tasks.filter((t) => t.appId === "/js/web").length);
    console.log("info", (await api.info.get()).name);
    await api.app.destroy("/js/web");
    await quiet();
    console.log("apps", (await api.apps.getList()).apps.length);
}

const bus = new MarathonEventBusClient({
    marathonHost: host, marathonPort: Number(port), eventTypes: ["status_update_event"],
    handlers: { status_update_event: (name, data) => heard.push(data) },
});
bus.on("error", (error) => console.log("error:", JSON.stringify(error)));
bus.on("subscribed", () => {
    console.log("subscribed");
    use().then(() => process.exit(0), (error) => {
        console.log("error:", error.message);
        process.exit(1);
    });
});
bus.subscribe();
