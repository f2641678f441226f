// A real Vendure: `node server.mjs setup` makes the database, `node server.mjs serve` answers on 127.0.0.1.
// One JSON object on standard input says how: {home, port, user, password, secret, session, postgres}.
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bootstrap, ChannelService, CurrencyCode, DefaultLogger, dummyPaymentHandler, LanguageCode, LogLevel, RequestContextService,
} from '@vendure/core';
import { populateInitialData } from '@vendure/core/cli/index.js';

const given = JSON.parse(readFileSync(0, 'utf8'));
const isSetup = process.argv[2] === 'setup';

const database = given.postgres
  ? { type: 'postgres', url: given.postgres }
  : { type: 'better-sqlite3', database: join(given.home, 'vendure.sqlite') };

const config = {
  defaultLanguageCode: LanguageCode.zh_Hans,
  logger: new DefaultLogger({ level: LogLevel.Warn }),
  apiOptions: { hostname: '127.0.0.1', port: given.port, cors: false },
  authOptions: {
    tokenMethod: ['bearer', 'api-key'],
    sessionDuration: given.session,
    superadminCredentials: { identifier: given.user, password: given.password },
    cookieOptions: { secret: given.secret },
  },
  dbConnectionOptions: { ...database, synchronize: isSetup },
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
  importExportOptions: { importAssetsDir: given.home },
};

const paidAtOnce = { code: dummyPaymentHandler.code, arguments: [{ name: 'automaticSettle', value: 'true' }] };
const initial = {
  defaultLanguage: LanguageCode.zh_Hans,
  defaultZone: '中国',
  countries: [{ name: '中国', code: 'CN', zone: '中国' }],
  taxRates: [{ name: '13%', percentage: 13 }, { name: '9%', percentage: 9 }],
  shippingMethods: [{ name: '快递', price: 800, taxRate: 9 }],
  paymentMethods: [{ name: '在线支付', handler: paidAtOnce }],
  collections: [],
};

// A Chinese shop sells in yuan, at prices that include the tax.
async function sellInYuan(app) {
  const context = await app.get(RequestContextService).create({ apiType: 'admin' });
  const channel = await app.get(ChannelService).getDefaultChannel(context);
  await app.get(ChannelService).update(context, {
    id: channel.id,
    pricesIncludeTax: true,
    defaultLanguageCode: LanguageCode.zh_Hans,
    availableLanguageCodes: [LanguageCode.zh_Hans],
    defaultCurrencyCode: CurrencyCode.CNY,
    availableCurrencyCodes: [CurrencyCode.CNY],
  });
}

const app = await bootstrap(config);
if (isSetup) {
  await sellInYuan(app);
  await populateInitialData(app, initial);
  await app.close();
  process.exit(0);
}
