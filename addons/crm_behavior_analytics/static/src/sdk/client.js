/*
 * What browser, system and device this is. Client hints where there are any, else the
 * user agent's text.
 */

const IN_APP = [
    ["wecom", /wxwork/i],
    ["wechat", /MicroMessenger/i],
    ["dingtalk", /DingTalk/i],
    ["alipay", /AlipayClient/i],
    ["douyin", /aweme|BytedanceWebview/i],
    ["xiaohongshu", /xhsdiscover/i],
    ["weibo", /Weibo/i],
    ["qq", / QQ\//i],
    ["facebook", /FBAN|FBAV/],
    ["instagram", /Instagram/],
    ["line", / Line\//],
];
const BROWSERS = [
    ["Edge", /Edg(?:e|A|iOS)?\/([\d.]+)/],
    ["Opera", /OPR\/([\d.]+)/],
    ["QQ Browser", /QQBrowser\/([\d.]+)/],
    ["UC Browser", /UCBrowser\/([\d.]+)/],
    ["Samsung Internet", /SamsungBrowser\/([\d.]+)/],
    ["Firefox", /(?:Firefox|FxiOS)\/([\d.]+)/],
    ["Chrome", /(?:Chrome|CriOS)\/([\d.]+)/],
    ["Safari", /Version\/([\d.]+).*Safari/],
    ["WebKit", /AppleWebKit\/([\d.]+)/],
];
const SYSTEMS = [
    ["HarmonyOS", /(?:HarmonyOS|OpenHarmony)[ /]?([\d.]*)/],
    ["Windows", /Windows NT ([\d.]+)/],
    ["Android", /Android ([\d.]+)/],
    ["iOS", /(?:iPhone|CPU) OS ([\d_]+)/],
    ["macOS", /Mac OS X ([\d_.]+)/],
    ["ChromeOS", /CrOS \S+ ([\d.]+)/],
    ["Linux", /Linux ?(\S*?)[;)]/],
];

function first(table, agent) {
    for (const [name, pattern] of table) {
        const found = pattern.exec(agent);
        if (found) {
            return {name, version: (found[1] || "").replace(/_/g, ".")};
        }
    }
    return {name: "other", version: ""};
}

const matches = (query) => Boolean(window.matchMedia?.(query).matches);

function inApp(agent) {
    if (window.__wxjs_environment === "miniprogram") {
        return "wechat_miniprogram";
    }
    const found = IN_APP.find(([, pattern]) => pattern.test(agent));
    return found ? found[0] : undefined;
}

function deviceType(agent) {
    if (/iPad|Tablet|PlayBook/i.test(agent) || (/Android/i.test(agent) && !/Mobile/i.test(agent))) {
        return "tablet";
    }
    return /Mobi|iPhone|Android/i.test(agent) ? "mobile" : "desktop";
}

/** @returns {object} parts of a message's context, Segment's names where it has one */
export function describeClient(storageOpen) {
    const agent = navigator.userAgent;
    const hints = navigator.userAgentData;
    const net = navigator.connection || {};
    return {
        userAgent: agent,
        userAgentData: hints && {
            brands: hints.brands.map((brand) => `${brand.brand} ${brand.version}`),
            mobile: hints.mobile,
            platform: hints.platform,
        },
        browser: {
            ...first(BROWSERS, agent),
            in_app: inApp(agent),
            languages: [...(navigator.languages || [])],
            cookies: navigator.cookieEnabled,
            storage: storageOpen,
            pdf_viewer: navigator.pdfViewerEnabled,
            automated: Boolean(navigator.webdriver),
        },
        os: first(SYSTEMS, agent),
        device: {
            type: deviceType(agent),
            touch_points: navigator.maxTouchPoints,
            memory_gb: navigator.deviceMemory,
            cores: navigator.hardwareConcurrency,
            pointer: matches("(pointer: fine)") ? "fine" : "coarse",
            hover: matches("(hover: hover)"),
        },
        screen: {
            width: screen.width,
            height: screen.height,
            available_width: screen.availWidth,
            available_height: screen.availHeight,
            density: window.devicePixelRatio,
            color_depth: screen.colorDepth,
            orientation: screen.orientation?.type,
            viewport_width: window.innerWidth,
            viewport_height: window.innerHeight,
        },
        preferences: {
            color_scheme: matches("(prefers-color-scheme: dark)") ? "dark" : "light",
            reduced_motion: matches("(prefers-reduced-motion: reduce)"),
            more_contrast: matches("(prefers-contrast: more)"),
            forced_colors: matches("(forced-colors: active)"),
        },
        network: {
            online: navigator.onLine,
            effective_type: net.effectiveType,
            downlink_mbps: net.downlink,
            rtt_ms: net.rtt,
            save_data: net.saveData,
        },
    };
}
