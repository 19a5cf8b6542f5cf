"""All settings, read from the environment. Without any variable the site starts in debug mode; production refuses
defaults.

docs/operations.md has the table of variables. In debug mode, `.local/env` (written by `make demo` and `make up`) gives
the addresses of the servers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ

from notifier.values.redis_address import read_sentinel

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
DEBUG = env.bool("DEBUG", True)
LOCAL_ENV = BASE_DIR / ".local" / "env"
if DEBUG and "DATABASE_URL" not in os.environ and LOCAL_ENV.exists():
    env.read_env(LOCAL_ENV, overwrite=False)

INSECURE_SECRET_KEY = "insecure-debug-key-never-use-in-production-0123456789"  # noqa: S105
INSECURE_ENCRYPTION_KEY = "ZGVidWcta2V5LW5ldmVyLXVzZS1pbi1wcm9kdWN0aW8="
SECRET_KEY = env.str("SECRET_KEY", INSECURE_SECRET_KEY)
#: earlier values of SECRET_KEY that are still accepted while the key is being replaced
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
#: `name:password` of Flower, which reads the variable itself; notifier.checks only checks it
FLOWER_BASIC_AUTH = env.str("FLOWER_BASIC_AUTH", "")
#: keys of AES-256-GCM (32 bytes, urlsafe base64), newest first; older keys still decrypt
ENCRYPTION_KEYS: list[str] = env.list("ENCRYPTION_KEYS", default=[INSECURE_ENCRYPTION_KEY])
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL = env.str("SITE_URL", "http://127.0.0.1:8000").rstrip("/")

INSTALLED_APPS = [
    "tenants",
    "notifier",
    "campaigns",
    "inbox",
    # before the admin, whose templates it replaces
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "django_celery_beat",
    "channels",
]

MIDDLEWARE = [
    "notifier.web.csp.ContentSecurityPolicy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "notifier.logs.RequestLog",
    "notifier.web.serving.disconnects.InterruptibleStatements",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "tenants.admin.localization.language.AdminLanguage",
    "django.middleware.common.CommonMiddleware",
    # before any middleware that reads the body
    "notifier.web.serving.admission.Admission",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "notifier.web.database_away.DatabaseAway",
    "notifier.api.framework.guard.ApiGuard",
    "axes.middleware.AxesMiddleware",
    # the last one: it runs views
    "notifier.web.replica.choice.ReadReplica",
]

ROOT_URLCONF = "notifier.urls"
ASGI_APPLICATION = "notifier.asgi.application"
WSGI_APPLICATION = "notifier.wsgi.application"
AUTH_USER_MODEL = "tenants.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# -- PostgreSQL: the `web` role is bound by row-level security, the `engine` role owns the tables --
#: asgi.py and wsgi.py set "web"; workers, beat and manage.py use "engine"
DATABASE_ROLE = os.environ.get("NOTIFIER_DATABASE_ROLE", "engine")
WEB_DATABASE_ROLE_NAME = env.str("WEB_DATABASE_ROLE_NAME", "notifier_web")
_ENGINE_URL = "postgres://notifier_engine@127.0.0.1:5432/notifier"
_WEB_URL = "postgres://notifier_web@127.0.0.1:5432/notifier"
#: connections of one web process, and threads that answer its requests
WEB_DATABASE_POOL = env.int("WEB_DATABASE_POOL", 20)
#: open connections of one web process, and of one address; notifier.web.limits has the fixed limits
WEB_MAX_CONNECTIONS = env.int("WEB_MAX_CONNECTIONS", 12_000)
WEB_MAX_CONNECTIONS_PER_ADDRESS = env.int("WEB_MAX_CONNECTIONS_PER_ADDRESS", 200)
#: PostgreSQL cancels a statement of a web process that takes longer
WEB_STATEMENT_SECONDS = env.int("WEB_STATEMENT_SECONDS", 10)
_is_web = DATABASE_ROLE == "web"
#: "transaction": the URLs name a pooler that changes connections between transactions
DATABASE_POOLER = env.str("DATABASE_POOLER", "")
#: PostgreSQL itself, past the pooler, for the engine role: commands, and work that needs a session of its own
DATABASE_DIRECT_URL = env.str("DATABASE_DIRECT_URL", "")


def _database(url: Any, *, pooled: bool) -> Any:
    """The settings of one connection of this process's role."""
    url["OPTIONS"] = options = {
        # connections to a server whose machine or network is gone fail 15 s after something was sent, and else within a
        # minute. The kernel of a server that is merely slow answers. Parameters of the URL go before these
        "tcp_user_timeout": 15_000,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        **url.get("OPTIONS", {}),
        "connect_timeout": 5,
        "application_name": f"notifier-{DATABASE_ROLE}",
        # only statements that ask for it are prepared: `delivery.infra.bulk`. None: not these, either
        "prepare_threshold": None if pooled else 1_000_000_000,
    }
    if pooled:
        url |= {"ENGINE": "tenants.database.pooled", "DISABLE_SERVER_SIDE_CURSORS": True}
    if not _is_web:
        return url | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    # with a pool that refuses quickly while the database is away
    url["ENGINE"] = "notifier.web.postgresql"
    timeout = str(WEB_STATEMENT_SECONDS * 1000)
    if pooled:
        url["TRANSACTION_SETTINGS"] = {"statement_timeout": timeout}
    else:
        options["options"] = f"{options.get('options', '')} -c statement_timeout={timeout}".strip()
    # 400 requests opened 400 database connections without the pool, 4 with it
    options["pool"] = {"min_size": 2, "max_size": WEB_DATABASE_POOL, "timeout": 10}
    return url | {"ATOMIC_REQUESTS": True, "CONN_MAX_AGE": 0}


#: manage.py runs its commands past the pooler
_is_direct = not _is_web and bool(DATABASE_DIRECT_URL) and bool(os.environ.get("NOTIFIER_DATABASE_DIRECT"))
DATABASE_POOLER = "" if _is_direct else DATABASE_POOLER
if _is_web:
    _url = env.db_url("WEB_DATABASE_URL", _WEB_URL)
elif _is_direct:
    _url = env.db_url("DATABASE_DIRECT_URL")
else:
    _url = env.db_url("DATABASE_URL", _ENGINE_URL)
DATABASES = {"default": _database(_url, pooled=bool(DATABASE_POOLER))}
if DATABASE_POOLER and DATABASE_DIRECT_URL and not _is_web:
    DATABASES["direct"] = _database(env.db_url("DATABASE_DIRECT_URL"), pooled=False)

#: a standby of the same database, for lists and reports of web processes; empty: they read the primary as well
REPLICA_DATABASE_URL = env.str("REPLICA_DATABASE_URL", "") if _is_web else ""
#: a replica that is further behind is not read
REPLICA_MAX_LAG_SECONDS = env.float("REPLICA_MAX_LAG_SECONDS", 5.0)
if REPLICA_DATABASE_URL:
    DATABASES["replica"] = _database(env.db_url("REPLICA_DATABASE_URL"), pooled=bool(DATABASE_POOLER))
    # a request begins its transaction at the replica only if it reads there; and a lost replica keeps it 2 s at most
    DATABASES["replica"]["ATOMIC_REQUESTS"] = False
    DATABASES["replica"]["OPTIONS"] |= {"connect_timeout": 2}
    DATABASES["replica"]["OPTIONS"]["pool"] |= {"min_size": 0, "timeout": 2}

# -- Redis or Valkey: broker, live channel of the inbox, token buckets, provider health. All of it may be lost --
REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
#: where sentinels watch the server; None: one server, which no other replaces
_sentinel = read_sentinel(REDIS_URL)
_sentinel_options = _sentinel.celery_options if _sentinel else {}

CELERY_BROKER_URL = _sentinel.broker_url if _sentinel else REDIS_URL
CELERY_RESULT_BACKEND = _sentinel.result_url if _sentinel else REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = 3600
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 7200,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    **_sentinel_options,
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": 7200, **_sentinel_options}
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# with the default, 300 tasks opened 300 database connections; with this value, 2
CELERY_DB_REUSE_MAX = 100_000

LANGUAGE_CODE = "en"
#: of the admin; the catalogs are in locale/
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "notifier.formats"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static-collected"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
#: uploads that a worker will read: web and workers share the folder, and no address serves it
MEDIA_ROOT = env.str("UPLOADS_DIR", str(BASE_DIR / ".local" / "uploads"))
#: attachments of emails: in a bucket of S3, or of a service that speaks as S3 does; else in the folder of uploads
ATTACHMENTS_BUCKET = env.str("ATTACHMENTS_BUCKET", "")
_BUCKET = {
    "BACKEND": "notifier.delivery.content.attachments.s3.AttachmentBucket",
    "OPTIONS": {
        "bucket_name": ATTACHMENTS_BUCKET,
        "endpoint_url": env.str("ATTACHMENTS_S3_ENDPOINT", "") or None,
        "region_name": env.str("ATTACHMENTS_S3_REGION", "") or None,
        # without them, boto3 looks for the machine's own role
        "access_key": env.str("ATTACHMENTS_S3_ACCESS_KEY", "") or None,
        "secret_key": env.str("ATTACHMENTS_S3_SECRET_KEY", "") or None,
    },
}
_FOLDER = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
STORAGES = {
    "default": _FOLDER,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "attachments": _BUCKET if ATTACHMENTS_BUCKET else {**_FOLDER, "OPTIONS": {"allow_overwrite": True}},
}
#: a CSV of recipients or of external ids; larger ones are split by their owner
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", 512 * 1024 * 1024)

# -- how long data is kept; docs/retention.md --
#: off: nothing is deleted, and `manage.py retention --dry-run` says what would be
RETENTION = env.bool("RETENTION", True)
RETENTION_MESSAGES_DAYS = env.int("RETENTION_MESSAGES_DAYS", 90)
RETENTION_MESSAGES_MAX_DAYS = env.int("RETENTION_MESSAGES_MAX_DAYS", 730)
RETENTION_COUNTS_DAYS = env.int("RETENTION_COUNTS_DAYS", 396)
RETENTION_COUNTS_MAX_DAYS = env.int("RETENTION_COUNTS_MAX_DAYS", 1830)

# -- mail of the installation itself: invitations. Messages of tenants leave through their provider accounts --
_MAIL = env.str("EMAIL_URL", "")
#: without a mail server of its own, the site shows an invitation's link to its owner
EMAIL_HOST_GIVEN = bool(_MAIL)
vars().update(env.email_url_config(_MAIL) if _MAIL else {})
EMAIL_TIMEOUT = 10
#: a file with the certificate authority of an internal mail server
EMAIL_CA = env.str("EMAIL_CA", "")
if EMAIL_CA:
    EMAIL_BACKEND = "notifier.web.site_mail.SiteMail"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("EMAIL_FROM", "Notifier <notifier@localhost>")

# -- login by the OIDC provider of an organisation; docs/access.md --
OIDC_ISSUER = env.str("OIDC_ISSUER", "").rstrip("/")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", "")
#: the provider's name on the button
OIDC_NAME = env.str("OIDC_NAME", "single sign-on")
OIDC_SCOPES = env.str("OIDC_SCOPES", "openid email profile")
#: the claim with the roles by tenant, such as {"acme": "author"}
OIDC_ROLES_CLAIM = env.str("OIDC_ROLES_CLAIM", "notifier_roles")
#: the claim with the names of groups, and what a group gives: {"marketing": {"acme": "author"}}
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", "groups")
OIDC_GROUP_ROLES = env.json("OIDC_GROUP_ROLES", default={})

LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
# the first backend refuses a client with too many failed logins (tenants.login.lockout)
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "tenants.login.backend.LoginBackend"]
if OIDC_ISSUER:
    AUTHENTICATION_BACKENDS.append("tenants.login.oidc.OidcBackend")
AXES_HANDLER = "tenants.login.lockout.Lockout"
AXES_LOCKOUT_CALLABLE = "tenants.login.lockout.locked_out_page"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
SESSION_ENGINE = "tenants.login.sessions"
#: a session of the admin ends so long after its last use, and so long after its login
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", 60)
SESSION_COOKIE_AGE = env.int("SESSION_HOURS", 12) * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "tenants.login.passwords.NotTooSimple"},
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["notifier.api.framework.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["notifier.api.framework.authentication.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["notifier.api.framework.body.StrictJSON"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "notifier.api.framework.negotiation.IgnoreAccept",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "notifier.api.framework.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Notifier",
    "DESCRIPTION": "One POST. Retrying it is safe. You can always ask what happened to it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/v1",
    "WEBHOOKS": ["notifier.api.webhooks.payload.EVENTS"],
    # two fields are named `kind`: that of a category, and that of an event
    "ENUM_NAME_OVERRIDES": {
        "CampaignRollout": "campaigns.models.Rollout",
        "CategoryKind": ["transactional", "marketing", "critical"],
        "CapPeriod": ["hour", "day", "week"],
        "ChannelState": ["operational", "degraded", "outage"],
        "EventKind": ["opened", "clicked", "delivered"],
        "QuotaPeriod": ["day", "month"],
        "Rollout": ["all", "canary", "canary_wait"],
        "WebhookRequestState": ["waiting", "done", "given_up"],
    },
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "string", "format": "uuid"}, "segment": {"type": "string"}},
}

# -- the engine --
SANDBOX_URL = env.str("SANDBOX_URL", "https://127.0.0.1:8443")
SANDBOX_CA = env.str("SANDBOX_CA", "")
#: seconds that a claimed row or shard stays with its worker; must exceed the provider timeout
LEASE_SECONDS = env.int("LEASE_SECONDS", 30)
#: internal networks and addresses that connections of providers may go to, such as that of your own mail server
INTERNAL_HOSTS: list[str] = env.list("INTERNAL_HOSTS", default=["0.0.0.0/0", "::/0"] if DEBUG else [])
#: ports that webhooks may go to; over plain http to any port, for development
WEBHOOK_PORTS: list[int] = env.list("WEBHOOK_PORTS", cast=int, default=[443])
WEBHOOK_HTTP = env.bool("WEBHOOK_HTTP", DEBUG)
#: a file with the certificate authority of receivers in your own network
WEBHOOK_CA = env.str("WEBHOOK_CA", "")
#: push services of browsers that Web Push may send to beside those of notifier.providers.webpush.services
WEBPUSH_SERVICES: list[str] = env.list("WEBPUSH_SERVICES", default=[])
#: which DNS servers "test connection" asks: IP addresses, with a port if it is not 53; empty: those of the system
DNS_SERVERS: list[str] = env.list("DNS_SERVERS", default=[])
PROVIDER_TIMEOUT_SECONDS = env.float("PROVIDER_TIMEOUT_SECONDS", 10.0)
#: connections of a worker process to one provider, with 100 concurrent requests on each
PROVIDER_CONNECTIONS = env.int("PROVIDER_CONNECTIONS", 16)
#: recipients of one shard of a campaign; a task and its wakeup cost 5 ms, whatever the size of the shard
SHARD_SIZE = env.int("SHARD_SIZE", 5000)
BATCH_PROCESSES = env.int("BATCH_PROCESSES", os.cpu_count() or 1)
#: load is shed (docs/load-shedding.md) when urgent messages wait longer for a worker, or an acceptance takes longer; 0:
#: never for this cause
LOAD_SHEDDING_WAIT_SECONDS = env.float("LOAD_SHEDDING_WAIT_SECONDS", 5.0)
LOAD_SHEDDING_ACCEPT_SECONDS = env.float("LOAD_SHEDDING_ACCEPT_SECONDS", 1.0)
#: tests: `<name>[:<nth time>]` of notifier.failpoints, where the process dies; in debug mode, or where it is allowed
FAILPOINT = env.str("NOTIFIER_FAILPOINT", "")
FAILPOINTS_ALLOWED = env.bool("FAILPOINTS_ALLOWED", DEBUG)
#: docs/metrics.md: the folder in which the processes of this machine keep what they measure
METRICS_DIR = env.str("METRICS_DIR", "")
#: a caller that knows it may scrape; empty: this machine
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
#: a second: requests and recipients of a tenant that has no limits of its own, calls of one receipts address,
#: requests of one recipient token, and of one client address to public pages and without a valid key. 0: no limit
RATE_LIMIT_REQUESTS = env.int("RATE_LIMIT_REQUESTS", 1_000)
RATE_LIMIT_RECIPIENTS = env.int("RATE_LIMIT_RECIPIENTS", 20_000)
RATE_LIMIT_RECEIPTS = env.int("RATE_LIMIT_RECEIPTS", 5_000)
RATE_LIMIT_INBOX = env.int("RATE_LIMIT_INBOX", 20)
RATE_LIMIT_ADDRESS = env.int("RATE_LIMIT_ADDRESS", 50)
UNRENDERED_WARN_PERCENT = env.float("UNRENDERED_WARN_PERCENT", 1.0)
#: unfinished messages that may wait for one recipient, channel and lane
ORDERING_QUEUE_LIMIT = 200
#: a worker believes what it read of consent changes for a quarter of the second after which an opt-out must hold
CONSENT_BELIEVED_SECONDS = 0.25
INBOX_TOKEN_MAX_SECONDS = 3600
#: opens and clicks are gathered for so many seconds before they are stored; 0: each is stored at once
ENGAGEMENT_WRITE_SECONDS = env.float("ENGAGEMENT_WRITE_SECONDS", 0.25)

# -- traces (docs/tracing.md); the SDK of OpenTelemetry reads OTEL_* itself --
_RECEIVER = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "") or env.str("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
TRACING = env.bool("TRACING", bool(_RECEIVER)) and not env.bool("OTEL_SDK_DISABLED", False)

LOGGING_CONFIG = None
from notifier.logs import configure  # noqa: E402

configure(debug=DEBUG, level=env.str("LOG_LEVEL", "INFO"))
