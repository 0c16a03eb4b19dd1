/*
 * What may not leave the page: telephone, identity and bank card numbers, e-mail
 * addresses in addresses of pages, and the values of parameters that are secrets.
 */

const HIDDEN = "***";
// No look-behind: browsers of before 2023 cannot even read it.
const DIGITS = /(^|[^\dA-Za-z])((?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|\d{17}[\dXx]|\d(?:[ -]?\d){12,18})(?![\dA-Za-z])/g;
const EMAIL = /[\w.+-]+@[\w-]+\.[\w.-]+/g;
const SECRET = /token|pass|secret|auth|key|code|sign|session|mail|phone|mobile|tel$|name/i;
const CHECK_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/** GB 11643: the last sign of an identity number follows from the others. */
function isIdentityNumber(text) {
    if (!/^\d{17}[\dX]$/.test(text)) {
        return false;
    }
    const sum = CHECK_WEIGHTS.reduce((total, weight, i) => total + weight * text[i], 0);
    return "10X98765432"[sum % 11] === text[17];
}

/** ISO/IEC 7812: Luhn's check of a card's number. */
function isCardNumber(digits) {
    if (!/^[3-6]\d{12,18}$/.test(digits)) {
        return false;
    }
    let sum = 0;
    for (let i = 0; i < digits.length; i++) {
        const digit = Number(digits[digits.length - 1 - i]) * (i % 2 ? 2 : 1);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 === 0;
}

function isPersonal(text) {
    const plain = text.replace(/[- ]/g, "").toUpperCase();
    return (
        /^(\+?86)?1[3-9]\d{9}$/.test(plain) ||
        isIdentityNumber(plain) ||
        isCardNumber(plain)
    );
}

/** A text without numbers that name a person. */
export function redact(text) {
    return text.replace(DIGITS, (whole, before, found) =>
        isPersonal(found) ? before + HIDDEN : whole
    );
}

/** Any JSON value, its texts redacted. */
export function redactAll(value) {
    if (typeof value === "string") {
        return redact(value);
    }
    if (Array.isArray(value)) {
        return value.map(redactAll);
    }
    if (value && typeof value === "object" && !(value instanceof Date)) {
        const result = {};
        for (const name of Object.keys(value)) {
            result[name] = redactAll(value[name]);
        }
        return result;
    }
    return value;
}

/** A text of the page: without addresses too, on one line, not endless. */
export function clean(text, length = 200) {
    return redact(String(text || "").replace(EMAIL, HIDDEN))
        .replace(/\s+/g, " ")
        .trim()
        .slice(0, length);
}

/** What a script says: the addresses in it without their queries. */
export function cleanTrace(text, length) {
    return clean(String(text || "").replace(/\?[^\s:)]*/g, ""), length);
}

/** The query of an address, secrets hidden. */
export function cleanQuery(search) {
    const params = new URLSearchParams(search);
    for (const name of [...params.keys()]) {
        const campaign = name.startsWith("utm_");
        params.set(
            name,
            SECRET.test(name) && !campaign ? HIDDEN : clean(params.get(name))
        );
    }
    const text = params.toString();
    return text && "?" + text.replace(/\*|%2A/g, "*");
}

/** An address without its query and fragment. */
export function cleanUrl(address) {
    try {
        const url = new URL(address, location.href);
        return /^https?:$/.test(url.protocol)
            ? clean(url.origin + url.pathname, 500)
            : url.protocol;
    } catch {
        return "";
    }
}
