// A certified OpenID Connect provider (panva's oidc-provider) on the loopback, with a sign-in page that believes any name
// it knows. It reads {host, port, redirectUri, leavingUri, toldUri, namesSessions, secret, accounts} from its standard input and
// says "ready". `toldUri` is where it tells of sign-outs, or empty; `namesSessions`: it tells which session it is.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import Provider from 'oidc-provider';

const { host, port, redirectUri, leavingUri, toldUri, namesSessions, secret, accounts } = JSON.parse(await text(process.stdin));
const issuer = `http://${host}:${port}`;
const jwk = (type, options, alg) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: `${alg}-key` };
};

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'strongroom',
    client_secret: secret,
    redirect_uris: [redirectUri],
    post_logout_redirect_uris: [leavingUri],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    ...(toldUri && { backchannel_logout_uri: toldUri, backchannel_logout_session_required: namesSessions }),
  }],
  jwks: { keys: [jwk('rsa', { modulusLength: 2048 }, 'RS256'), jwk('ec', { namedCurve: 'P-256' }, 'ES256')] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  pkce: { required: () => true },
  conformIdTokenClaims: false, // claims in the ID token, as Keycloak, AD FS and Authelia put them
  claims: { openid: ['sub'], profile: ['preferred_username', 'name'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'groups'],
  features: {
    backchannelLogout: { enabled: Boolean(toldUri) },
    devInteractions: { enabled: false }, // its pages, and the one for leaving, would fetch a font from elsewhere
    rpInitiatedLogout: {
      logoutSource: (ctx, form) => {
        ctx.body = `<!doctype html><title>Provider</title>${form}
          <button type="submit" form="op.logoutForm" name="logout" value="yes">Yes</button>`;
      },
    },
  },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  loadExistingGrant: async (ctx) => {
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile groups');
    await grant.save();
    return grant;
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  await provider.interactionDetails(ctx.req, ctx.res);
  if (ctx.method === 'POST') {
    const name = new URLSearchParams(await text(ctx.req)).get('name');
    const accountId = Object.keys(accounts).find((id) => accounts[id].preferred_username === name);
    const result = accountId ? { login: { accountId } } : { error: 'access_denied' };
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
    ctx.status = 303;
    return undefined;
  }
  ctx.type = 'html';
  ctx.body = `<!doctype html><title>Provider</title><form method="post">
    <label for="name">Your name</label><input id="name" name="name"><button>Go on</button></form>`;
  return undefined;
});

provider.listen(port, host, () => console.log('ready'));
