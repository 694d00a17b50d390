// The real oidc-provider, as providers.py starts it: node oidc_provider.mjs SETTINGS, a JSON object
// {home, port, google: {client_id, secret}, apple: {client_id, team, key: a public JWK}, redirect_uris}.
// Who logs in is what is typed as the login: "subject|e-mail|verified (1 or 0)|name".
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(process.argv[2]);
const load = (name, path) => import(pathToFileURL(`${settings.home}/node_modules/${name}/${path}`));
const { default: Provider } = await load('oidc-provider', 'lib/index.js');
const jose = await load('jose', 'dist/node/esm/index.js');

const signing = async (alg, kid) => ({
  ...await jose.exportJWK((await jose.generateKeyPair(alg, { extractable: true })).privateKey), kid, alg, use: 'sig',
});
const client = (client_id, client_secret, id_token_signed_response_alg) => ({
  client_id, client_secret, id_token_signed_response_alg, redirect_uris: settings.redirect_uris, response_types: ['code'],
  grant_types: ['authorization_code'], token_endpoint_auth_method: 'client_secret_post',
});
const issuer = `http://127.0.0.1:${settings.port}`;
const provider = new Provider(issuer, {
  clients: [client(settings.google.client_id, settings.google.secret, 'RS256'), client(settings.apple.client_id, 'signed', 'ES256')],
  jwks: { keys: [await signing('RS256', 'rsa-1'), await signing('ES256', 'ec-1')] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: false,
  pkce: { methods: ['S256'], required: () => true },
  cookies: { keys: ['only a test'] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, accountId) => {
    const [, email, verified, name] = accountId.split('|');
    return { accountId, claims: () => ({ sub: accountId, email: email || undefined, email_verified: verified === '1', name }) };
  },
});

// Apple's client secret is a token that the client signs: https://developer.apple.com, "Creating a client secret".
const compare = provider.Client.prototype.compareClientSecret;
const key = await jose.importJWK(settings.apple.key, 'ES256');
provider.Client.prototype.compareClientSecret = async function compareClientSecret(actual) {
  if (this.clientId !== settings.apple.client_id) return compare.call(this, actual);
  const checked = await jose.jwtVerify(actual, key, {
    issuer: settings.apple.team, subject: this.clientId, audience: issuer, algorithms: ['ES256'], requiredClaims: ['iat', 'exp'],
  });
  return checked.protectedHeader.kid === settings.apple.key.kid;
};

provider.listen(settings.port, '127.0.0.1', () => console.log('listening'));
