/*
 * What is remembered of a visitor. Nobody calls this before the visitor has agreed.
 * The queue has a key of its own: it changes often, and may be large.
 */

const STATE = "crm_behavior";
const QUEUE = "crm_behavior_queue";
// Where storage is closed or full: as long as the page lives.
const memory = {};

function read(key, empty) {
    try {
        return JSON.parse(localStorage.getItem(key)) || memory[key] || empty;
    } catch {
        return memory[key] || empty;
    }
}

function write(key, value) {
    try {
        localStorage.setItem(key, JSON.stringify(value));
        delete memory[key];
    } catch {
        memory[key] = value;
    }
}

export const readState = () => read(STATE, {});
export const writeState = (state) => write(STATE, state);
export const readQueue = () => read(QUEUE, []);
export const writeQueue = (queue) => write(QUEUE, queue);

export function forget() {
    for (const key of [STATE, QUEUE]) {
        delete memory[key];
        try {
            localStorage.removeItem(key);
        } catch {
            // Closed storage holds nothing.
        }
    }
}

/** Whether the browser lets the page remember anything. */
export function isOpen() {
    try {
        return Boolean(localStorage);
    } catch {
        return false;
    }
}

export function uuid() {
    // Only pages served over TLS have the short way.
    if (window.crypto?.randomUUID) {
        return crypto.randomUUID();
    }
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
