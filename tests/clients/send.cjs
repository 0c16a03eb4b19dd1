/*
 * Segment's and RudderStack's Node.js SDKs as an application uses them.
 *
 * Reads {"client", "host", "key", "first", "count", "gzip"} from standard input, tracks
 * that many messages, and writes what the SDK could not deliver to standard output.
 */
const {readFileSync} = require("node:fs");

const order = JSON.parse(readFileSync(0, "utf8"));
const lost = [];

function message(number) {
    return {
        anonymousId: `visitor-${number % 50}`,
        ...(number % 3 === 0 && {userId: `user-${number % 50}`}),
        event: "Product Viewed",
        properties: {number, sku: "C-ESP", text: "咖啡 ☕"},
        context: {ip: "203.0.113.7", app: {name: "shop"}},
    };
}

function numbers() {
    return Array.from({length: order.count}, (_none, place) => order.first + place);
}

async function segment() {
    const {Analytics} = require("@segment/analytics-node");
    const client = new Analytics({
        writeKey: order.key,
        host: order.host,
        flushAt: 100,
        flushInterval: 500,
        // The server may be away for a while.
        maxRetries: 1000,
    });
    client.on("error", (error) => lost.push(String(error.reason || error)));
    // Its batches go out side by side: an application does not begin thousands at once.
    for (const number of numbers()) {
        client.track(message(number));
        if (number % 1000 === 999) {
            await client.flush();
        }
    }
    await client.closeAndFlush({timeout: 10 * 60 * 1000});
}

async function rudder() {
    const Analytics = require("@rudderstack/rudder-sdk-node");
    const client = new Analytics(order.key, {
        dataPlaneUrl: order.host,
        gzip: order.gzip,
        flushAt: 100,
        flushInterval: 500,
        retryCount: 1000,
        axiosRetryConfig: {retryDelay: (count) => Math.min(count * 100, 1000)},
        errorHandler: (error) => lost.push(String(error)),
        logLevel: "error",
    });
    const track = (number) =>
        new Promise((resolve) => {
            client.track(message(number), (error) => {
                if (error) {
                    lost.push(String(error));
                }
                resolve();
            });
        });
    // With each message it weighs all that wait.
    const all = numbers();
    while (all.length) {
        await Promise.all(all.splice(0, 500).map(track));
    }
}

({segment, rudder})[order.client]().then(() => {
    process.stdout.write(JSON.stringify({lost}), () => process.exit(0));
});
