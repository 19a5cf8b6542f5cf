-- Makes the two roles and the database. A superuser (or the admin of a managed server) runs it once; docker-compose.yml
-- does so by itself. Elsewhere: ENGINE_PASSWORD=... WEB_PASSWORD=... psql -v ON_ERROR_STOP=1 -f deploy/roles.sql postgres
-- notifier_engine owns the tables, so row-level security binds notifier_web and not it. Neither is a superuser.
\set ON_ERROR_STOP on
\getenv engine_password ENGINE_PASSWORD
\getenv web_password WEB_PASSWORD
CREATE ROLE notifier_engine LOGIN CREATEDB PASSWORD :'engine_password';
CREATE ROLE notifier_web LOGIN PASSWORD :'web_password';
GRANT notifier_web TO notifier_engine;
CREATE DATABASE notifier OWNER notifier_engine ENCODING 'UTF8' TEMPLATE template0;
