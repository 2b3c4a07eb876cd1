# Bus and router in one container, as a user of its own; the journal is in /data.
#
#   docker build -t rivulet .
#   docker run -p 8080:8080 -p 50051:50051 -v rivulet-data:/data rivulet
#
# There is no authentication: publish the ports only to networks that you trust.

FROM node:22.20.0-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY proto ./proto
COPY src ./src
COPY workers ./workers
COPY bench ./bench
COPY test ./test
RUN npm run build
RUN npm ci --omit=dev

FROM node:22.20.0-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/build/src ./build/src
COPY --from=build /app/build/workers ./build/workers
COPY package.json README.md LICENSE ./
COPY docs ./docs
COPY proto ./proto
COPY src/edge/static ./src/edge/static
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080 50051 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=90s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# A container's own address is not loopback: --insecure says that whoever publishes the ports answers for who reaches them.
ENTRYPOINT ["node", "build/src/app/main.js"]
CMD ["up", "--supervise", "--host", "0.0.0.0", "--bus-host", "0.0.0.0", "--ops-host", "0.0.0.0", "--allowed-hosts", "*", "--insecure", "--data-dir", "/data"]
