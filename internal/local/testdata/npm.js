// A scheduler on the npm package mesos-framework, for a test: it keeps one command
// running, prints each thing it hears of it, and ends its framework when it has finished.
"use strict";

const { Scheduler, Mesos } = require("mesos-framework");
const mesos = Mesos.getMesos();
const [host, port, user, command] = process.argv.slice(2);

const scheduler = new Scheduler({
    masterUrl: host, port: port, frameworkName: "npm", user: user, restartStates: [],
    logging: { level: "debug" },
    tasks: {
        one: {
            priority: 1, instances: 1, allowScaling: false,
            commandInfo: new mesos.CommandInfo(null, null, true, command, null, null),
            resources: { cpus: 0.1, mem: 32, ports: 1, disk: 0 },
        },
    },
});

scheduler.on("ready", () => scheduler.subscribe());
scheduler.on("subscribed", (it) => console.log("SUBSCRIBED", it.frameworkId));
scheduler.on("heartbeat", () => console.log("HEARTBEAT"));
let over = false; // the master closes the stream then
scheduler.on("error", (error) => over || console.log("error:", error.message || JSON.stringify(error)));
scheduler.on("update", (update) => {
    console.log(update.status.state);
    if (["TASK_FINISHED", "TASK_FAILED", "TASK_ERROR"].includes(update.status.state)) {
        setTimeout(() => {
            over = true;
            scheduler.teardown();
            setTimeout(() => process.exit(0), 500);
        }, 100); // after the acknowledgement
    }
});
