# One image for web, workers, beat and Flower; docker-compose.yml says which.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# only the packages that the product needs at run time (with `aws`: Amazon SES, attachments in S3; and `tracing`), in the
# versions of the lock file
COPY pyproject.toml requirements.lock ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
               print(*p['dependencies'], *(d for e in ('aws', 'tracing') for d in p['optional-dependencies'][e]), sep='\n')" \
      > /tmp/runtime.txt \
 && pip install --constraint requirements.lock --requirement /tmp/runtime.txt \
 && rm /tmp/runtime.txt

COPY . .
ENV DEBUG=0
RUN python -m compileall -q . \
 && python manage.py collectstatic --noinput \
 && useradd --system --uid 10001 --no-create-home notifier \
 && install -d -o notifier /uploads /sandbox

USER notifier
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "-m", "notifier.web", "--host", "0.0.0.0", "--port", "8000"]
