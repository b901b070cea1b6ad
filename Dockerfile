# The image of kubedelta: the compiled command and what it needs at run time, for a user without rights.
# A test runs these steps as plain commands; they need no more than npm and the files copied here.

FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run -s build
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production
COPY package.json LICENSE ./
COPY bin ./bin
COPY schemas ./schemas
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
# User node of the base image, by number: Kubernetes cannot tell from a name that it is not root.
USER 1000:1000
EXPOSE 9464
ENTRYPOINT ["node", "--max-semi-space-size=8", "/app/bin/kubedelta.js"]
CMD ["--help"]
