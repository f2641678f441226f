// 航信's Node client (上海航天电子发票) against the address it is given; prints what each step was answered.
import Client from "egg-aisino-invoice-api/lib/InvoiceClient.js";

const asked = JSON.parse(process.argv[2]);
console.log = () => {}; // the client prints every message

const client = new Client({ ...asked.config, HOST: asked.url });
const order = {
  invoice_title: "杭州恒信嘉禾科技有限公司",
  invoice_type: 2,
  invoice_tax_number: "91330106MA2DEMK14E",
  mobile: "13900000000",
  sum: 113,
  trade_no: asked.number,
  kplx: "1",
  czdm: "10",
  created_at: "2026-11-11 09:00:00",
};
const item = { id: 1, name: "面条", quantity: 1, price: 113, spbm: "1030299990000000000", zxbm: "A1", unit: "件" };

async function issued() {
  const { interface: told } = await client.create({ ...order, items: [{ ...item }] });
  return told.returnStateInfo;
}

async function discounted() {
  const { interface: told } = await client.create({ ...order, sum: 101.7, discount: 11.3, items: [{ ...item }] });
  return told.returnStateInfo;
}

async function downloaded() {
  const told = await client.download({ trade_no: asked.number });
  return { ...told.returnStateInfo, ...(told.Data.content?.REQUEST_FPKJXX_FPJGXX_NEW ?? {}) };
}

async function mailed() {
  const told = await client.email({ trade_no: asked.number, email: "a@example.com", mobile: "", fp_dm: "", fp_hm: asked.invoice });
  return told.returnStateInfo;
}

const told = await { issued, discounted, downloaded, mailed }[asked.do]();
process.stdout.write(`${JSON.stringify(told)}\n`);
