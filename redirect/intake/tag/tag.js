// The tag: it keeps the click ids of landing pages on the shop's own domain, says
// that a shopper landed, and reports sales.
//
//   <script async src="https://t.example/t/tag.js" data-adv="pub_…"></script>
//
//   data-adv      the advertiser's public key
//   data-param    the parameter click ids come in (tcid)
//   data-days     how long click ids are kept (90)
//   data-consent  "required": nothing is kept or sent before tributary('consent', true)
//   data-layer    the name of the GA4 or GTM data layer (dataLayer); "off": not read
//
//   tributary('consent', true | false)     false also forgets what was kept
//   tributary('track', 'sale', {order_id: '1001', amount: '49.90', currency: 'USD'})
//   tributary('customer', 'u-1234')        who the shopper is, once known
//
// Before the tag is loaded calls may be queued:
//
//   window.tributary = window.tributary || function () { (tributary.q = tributary.q || []).push(arguments) }
//
// It is ECMAScript 5, needs nothing, and never throws into the page. With Global
// Privacy Control it keeps nothing and reports no landing; a sale is reported
// with no more than the click id in the page's own address. Served without
// comments and indentation; every statement stays on its line.
(function (w, d, n) {
	var earlier = w.tributary;
	if (earlier && earlier.on) return;
	var script = d.currentScript || d.querySelector('script[data-adv]');
	if (!script) return;
	var store = 'tributary', most = 20, gpc = n.globalPrivacyControl, sales = {}, landed, consent;
	function setting(name, fallback) {
		return script.getAttribute('data-' + name) || fallback;
	}
	var url = script.src.replace(/\/t\/tag\.js.*/, '/t/event?adv=') + encodeURIComponent(setting('adv', ''));
	if (setting('consent') == 'required') consent = false;

	function attempt(f) {
		try { return f(); } catch (e) {}
	}
	function allowed() {
		return consent !== false && !gpc;
	}

	// ids are kept twice, oldest first, because browsers forget either.
	function parse(text) {
		return (text || '').split('.').filter(function (id) { return /^[\w-]{20,64}$/.test(id); });
	}
	function cookie() {
		return (attempt(function () { return d.cookie.match('(?:^|; )' + store + '=([^;]*)'); }) || [])[1];
	}
	function setCookie(text, days) {
		var labels = location.hostname.split('.'), i = labels.length;
		// The widest domain a browser takes covers all of the shop's hosts.
		while (i--) {
			attempt(function () {
				d.cookie = store + '=' + text + ';path=/;max-age=' + days * 86400 + ';samesite=lax'
					+ (location.protocol == 'https:' ? ';secure' : '') + (i ? ';domain=' + labels.slice(i - 1).join('.') : '');
			});
			if (text ? cookie() == text : 0) return;
		}
	}
	function kept() {
		if (!allowed()) return landed && consent !== false ? [landed] : [];
		var ids = parse(attempt(function () { return localStorage.getItem(store); }));
		parse(cookie()).concat(landed || []).forEach(function (id) {
			if (ids.indexOf(id) < 0) ids.push(id);
		});
		return ids.slice(-most);
	}
	function keep(ids) {
		var text = ids.join('.');
		attempt(function () {
			if (text) localStorage.setItem(store, text);
			else localStorage.removeItem(store);
		});
		setCookie(text, text ? +setting('days', 90) : 0);
	}

	function send(body) {
		var text = JSON.stringify(body);
		if (attempt(function () { return n.sendBeacon(url, text); })) return;
		if (attempt(function () { return w.fetch(url, { method: 'POST', body: text, keepalive: true, mode: 'no-cors', credentials: 'omit' }); })) return;
		attempt(function () {
			var request = new XMLHttpRequest();
			request.open('POST', url);
			request.setRequestHeader('Content-Type', 'text/plain');
			request.send(text);
		});
	}
	function landing(customer) {
		var ids = kept();
		if (allowed() && ids.length) send({ type: 'landing', click_id: ids[ids.length - 1], customer_id: customer });
	}
	function land() {
		if (!landed || !allowed()) return;
		keep(kept().filter(function (id) { return id != landed; }).concat(landed).slice(-most));
		// A page that is loaded again is the same landing.
		if (attempt(function () { return sessionStorage.getItem(store); }) == landed) return;
		attempt(function () { sessionStorage.setItem(store, landed); });
		landing();
	}

	var commands = {
		consent: function (yes) {
			consent = !!yes;
			if (yes) land();
			else keep([]);
		},
		customer: function (id) {
			landing(String(id));
		},
		track: function (event, fields) {
			if (!event || consent === false) return;
			var body = { type: 'track', event: event }, ids = kept(), name;
			for (name in fields || {}) body[name] = fields[name];
			if (!body.click_id && ids.length) {
				body.click_id = ids.pop();
				if (!body.click_ids) body.click_ids = ids;
			}
			send(body);
		}
	};
	function run(args) {
		attempt(function () { commands[args[0]].apply(null, [].slice.call(args, 1)); });
	}

	// A shop's sums are floating point: they are written in the currency's decimals.
	function money(value, currency) {
		if (typeof value != 'number') return value;
		var decimals = attempt(function () {
			return new Intl.NumberFormat('en', { style: 'currency', currency: currency }).resolvedOptions().maximumFractionDigits;
		});
		return value.toFixed(decimals == null ? 2 : decimals);
	}
	// purchase reads GA4's: its value is without tax and shipping, its prices are
	// after discounts.
	function purchase(sale) {
		if (!sale || !sale.transaction_id || sales[sale.transaction_id]) return;
		sales[sale.transaction_id] = 1;
		commands.track('sale', {
			order_id: String(sale.transaction_id), amount: money(sale.value, sale.currency), currency: sale.currency, code: sale.coupon,
			items: (sale.items || []).map(function (item) {
				return { sku: item.item_id, name: item.item_name, category: item.item_category, quantity: item.quantity, price: money(item.price, sale.currency) };
			})
		});
	}
	// pushed reads an entry of the data layer: GTM's object, or gtag's arguments.
	function pushed(entry) {
		attempt(function () {
			if (entry.event == 'purchase') purchase(entry.ecommerce || entry);
			else if (entry[0] == 'event' && entry[1] == 'purchase') purchase(entry[2]);
		});
	}

	landed = parse((location.search.match('[?&]' + setting('param', 'tcid') + '=([^&]*)') || [])[1])[0];
	w.tributary = function () { run(arguments); };
	w.tributary.on = 1;
	(earlier && earlier.q || []).forEach(function (args) {
		if (args[0] == 'consent') run(args);
	});
	land();
	(earlier && earlier.q || []).forEach(function (args) {
		if (args[0] != 'consent') run(args);
	});
	var name = setting('layer', 'dataLayer');
	if (name != 'off') {
		var layer = w[name] = w[name] || [], push = layer.push;
		layer.forEach(pushed);
		layer.push = function () {
			[].forEach.call(arguments, pushed);
			return push.apply(layer, arguments);
		};
	}
})(window, document, navigator);
