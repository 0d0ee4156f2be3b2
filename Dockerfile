# syntax=docker/dockerfile:1
# The app, on the CPU, without the published networks (VGG-19, BiSeNet, ParseNet):
#
#     docker build --tag face-transfer .
#     docker run --rm --publish 127.0.0.1:7860:7860 --read-only --tmpfs /tmp face-transfer
#
# `compose.yaml` puts it behind a reverse proxy, with limits.

FROM python:3.12-slim AS packages
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements.txt .
# torch for the CPU alone: the usual one brings 4 GB of a GPU's libraries.
RUN pip install --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch>' requirements.txt)"
# OpenCV without windows needs no libraries of a desktop; facexlib would bring the other one back.
RUN sed -e '/^torchvision\|^facexlib/d' -e 's/^opencv-python/&-headless/' requirements.txt > image.txt \
    && pip install --requirement image.txt \
    && pip uninstall --yes pip

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app \
    && install --directory --owner=app --group=app /var/cache/face-transfer
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY app.py LICENSE ./
COPY facetransfer facetransfer
COPY segmentation segmentation
COPY assets/weights assets/weights
COPY assets/examples assets/examples
COPY assets/styles assets/styles
COPY assets/title.webp assets/title.webp
# Visitors' files lie in memory where /tmp does. Compiled code lies in a volume: it outlives a container.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_TEMP_DIR=/tmp/face-transfer \
    NUMBA_CACHE_DIR=/var/cache/face-transfer
USER 10001
# A run of everything: what cannot work here stops the build, and what is compiled now need not be later. The
# code is right for this kind of CPU; another kind compiles its own at the first start.
RUN ["python", "-c", "from facetransfer.ui.launch import warm_up; warm_up()"]
VOLUME /var/cache/face-transfer
EXPOSE 7860
# The first start on another kind of CPU compiles beside the page, which answers meanwhile.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD python -c "import os, urllib.request as web; \
        page = 'http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/gradio_api/app_id'; \
        web.build_opener(web.ProxyHandler({})).open(page, timeout=8).close()"
CMD ["python", "app.py"]
