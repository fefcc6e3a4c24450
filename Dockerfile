# mongo2pg as an image: docs/deploy.md. Stages: what compiles, with the packages that the bundle loads at the end; what runs.
ARG NODE_VERSION=24

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY packages/trial-servers/package.json packages/trial-servers/
# The embedded servers are for trying out, and are not in the image: their programs need no setting up here.
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY . .
# Pruning would keep what the embedded servers need.
RUN npm run build && npm ci --omit=dev --workspaces=false --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-bookworm-slim
LABEL org.opencontainers.image.title="mongo2pg" \
      org.opencontainers.image.description="Moves MongoDB collections into PostgreSQL" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist/bundle ./dist/bundle
# A number, so that Kubernetes can tell that it is not root.
USER 1000:1000
# Node is process 1: it hears SIGTERM itself, and its workers are children of its own, which it waits for.
STOPSIGNAL SIGTERM
EXPOSE 9464
ENTRYPOINT ["node", "/app/dist/bundle/src/cli/main.js"]
CMD []
