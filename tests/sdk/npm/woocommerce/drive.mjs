// WooCommerce's own JavaScript client against the address it is given; prints what each step was answered.
import OAuth from "oauth-1.0a";
import sdk from "@woocommerce/woocommerce-rest-api";

const Client = sdk.default ?? sdk;
const asked = JSON.parse(process.argv[2]);

const client = (secret = asked.secret) =>
  new Client({ url: asked.url, consumerKey: asked.key, consumerSecret: secret, version: "wc/v3" });

const told = (call) => call.then((answer) => answer.data, (error) => error.response.data);

async function everything() {
  const api = client();
  const window = { modified_after: "2026-11-10T15:59:59", modified_before: "2026-11-11T16:00:00", dates_are_gmt: true };
  const orders = await api.get("orders", { ...window, orderby: "modified", order: "asc", per_page: 2, page: 2 });
  const created = { sku: "NPM-1", name: "新品 é", regular_price: "19.90" };
  return {
    orders: orders.data.map((row) => row.id),
    lengths: [orders.headers["x-wp-total"], orders.headers["x-wp-totalpages"]],
    found: (await told(api.get("products", { sku: "A0,B红" }))).map((row) => row.sku).sort(),
    made: await told(api.post("products", created)),
    again: await told(api.post("products", created)),
    stock: (await told(api.put("products/10", { manage_stock: true, stock_quantity: 42 }))).stock_quantity,
    status: (await told(api.put("orders/1001", { status: "completed" }))).status,
    wrong: await told(client("cs_wrong").get("orders")),
  };
}

async function calls() {
  OAuth.prototype.getNonce = () => asked.nonce;
  OAuth.prototype.getTimeStamp = () => asked.moment;
  const api = client();
  const statuses = [];
  for (const [method, path, parameters, body] of asked.calls) {
    const call = method === "GET" ? api.get(path, parameters) : api[method.toLowerCase()](path, body, parameters);
    statuses.push((await call).status);
  }
  return statuses;
}

console.log(JSON.stringify(await { everything, calls }[asked.do]()));
