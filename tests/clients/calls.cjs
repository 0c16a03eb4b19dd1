/* One call of each kind by the Node.js SDKs: {"client", "host", "key"} comes in. */
const {readFileSync} = require("node:fs");

const order = JSON.parse(readFileSync(0, "utf8"));
const lost = [];
const report = (error) => lost.push(String(error?.reason || error));
let client;
if (order.client === "segment") {
    const {Analytics} = require("@segment/analytics-node");
    client = new Analytics({writeKey: order.key, host: order.host});
    client.on("error", report);
} else {
    const Analytics = require("@rudderstack/rudder-sdk-node");
    client = new Analytics(order.key, {dataPlaneUrl: order.host, errorHandler: report});
}
const timestamp = new Date("2026-05-04T08:00:00Z");
const both = {userId: "u-1", anonymousId: "a-1"};
client.track({event: "Cart Viewed", properties: {total: 9.5}, timestamp, ...both});
client.page({category: "Shop", name: "Home", properties: {path: "/shop"}, ...both});
client.screen({category: "Shop", name: "Basket", properties: {items: 2}, ...both});
client.identify({traits: {plan: "pro"}, context: {ip: "203.0.113.7"}, ...both});
client.group({groupId: "g-1", traits: {size: 12}, ...both});
client.alias({previousId: "a-0", userId: "u-1"});

async function end() {
    // RudderStack's sends its first message alone.
    await client.flush();
    await client.flush();
    process.stdout.write(JSON.stringify({lost}), () => process.exit(0));
}

end();
