/*
 * Messages wait in the browser's storage until the server has answered: over a lost
 * connection, a closed tab and a restart of the server. What the server has answered
 * once is never sent again; it knows a repetition by its message ID.
 */
import {readQueue, writeQueue} from "./store";

const FLUSH_AFTER = 1000;
const MAX_BATCH = 20;
// Browsers let 64 kB go out with a page that is being left.
const MAX_BYTES = 50000;
const MAX_QUEUE = 300;
const MAX_WAIT = 30 * 60 * 1000;

export class Queue {
    /**
     * @param {string} url where batches go
     * @param {string} key the write key
     * @param {(messages: object[], answer: object) => void} answered
     */
    constructor(url, key, answered) {
        this.url = url;
        this.key = key;
        this.answered = answered;
        this.timer = null;
        this.failures = 0;
        this.sending = [];
        window.addEventListener("online", () => this.schedule(0, true));
    }

    add(message) {
        writeQueue(readQueue().concat(message).slice(-MAX_QUEUE));
        this.schedule(FLUSH_AFTER);
    }

    schedule(delay, sooner) {
        if (sooner) {
            clearTimeout(this.timer);
            this.timer = null;
        }
        if (!this.timer) {
            this.timer = setTimeout(() => this.flush(), delay);
        }
    }

    stop() {
        clearTimeout(this.timer);
        this.timer = null;
    }

    head() {
        let bytes = 0;
        return readQueue().filter((message, place) => {
            // A Chinese character weighs three bytes.
            bytes += JSON.stringify(message).length * 1.5;
            return place < MAX_BATCH && (!place || bytes < MAX_BYTES);
        });
    }

    body(messages) {
        return JSON.stringify({
            writeKey: this.key,
            sentAt: new Date().toISOString(),
            batch: messages,
        });
    }

    /** Take what was sent out of the queue; another tab may have added to it. */
    settle(messages) {
        const sent = new Set(messages.map((message) => message.messageId));
        const rest = readQueue().filter((message) => !sent.has(message.messageId));
        writeQueue(rest);
        return rest.length;
    }

    async flush() {
        this.stop();
        const messages = this.head();
        if (!messages.length || this.sending.length) {
            return;
        }
        this.sending = messages;
        let response;
        try {
            // As plain text it needs no leave of the server beforehand.
            response = await fetch(this.url, {
                method: "POST",
                body: this.body(messages),
                credentials: "omit",
                keepalive: true,
                headers: {"Content-Type": "text/plain"},
            });
        } catch {
            response = null;
        }
        this.sending = [];
        if (!response || response.status === 429 || response.status >= 500) {
            this.again(response && Number(response.headers.get("Retry-After")));
            return;
        }
        // Landed, or refused for good.
        this.failures = 0;
        const rest = this.settle(messages);
        this.answered(messages, response);
        if (rest) {
            this.schedule(0);
        }
    }

    /** Wait longer each time, and not all visitors equally long. */
    again(seconds) {
        const wait = Math.min(FLUSH_AFTER * 2 ** ++this.failures, MAX_WAIT);
        this.schedule(Math.max(wait * (0.5 + Math.random()), (seconds || 0) * 1000));
    }

    /**
     * The page is being left: nobody waits for the answer. So over a connection that is
     * known to be bad nothing goes; it stays for the next page.
     */
    flushAtEnd() {
        if (!navigator.onLine || this.failures) {
            return;
        }
        const underWay = new Set(this.sending.map((message) => message.messageId));
        const messages = this.head().filter((message) => !underWay.has(message.messageId));
        if (messages.length && navigator.sendBeacon?.(this.url, this.body(messages))) {
            this.settle(messages);
        }
    }
}
