"""The campaigns' Django app: what it registers in the packages below."""

from __future__ import annotations

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "Campaigns"

    def ready(self) -> None:
        from campaigns import category, retention
        from campaigns.admin import find, template_uses
        from campaigns.admin.home import approvals_and_drafts, sending
        from campaigns.arming import email_page
        from campaigns.arming.planning import corrections
        from campaigns.edit import uploads
        from campaigns.lifecycle import digest_items, policies
        from campaigns.models import Campaign
        from campaigns.operations import doctor, facts
        from campaigns.report import stored
        from campaigns.schedules import personal
        from campaigns.shard.erasing import erase
        from campaigns.variants import stored as variants
        from notifier.admin.content.uses import register_use_finder
        from notifier.admin.ledger.lists import register_armed_ms_finder
        from notifier.channels import channels
        from notifier.delivery import messages, recheck
        from notifier.delivery.content.links.campaign_emails import register_campaign_emails
        from notifier.delivery.digests.items import register_campaign_lookup
        from notifier.delivery.retention import partitions
        from notifier.metrics.scraping import readers
        from tenants.categories import add_use_finder
        from tenants.erasure import register_eraser
        from tenants.export import register_exporter
        from tenants.imports import jobs
        from tenants.models import Import
        from tenants.retention import registry

        register_armed_ms_finder(
            lambda campaign: Campaign.objects.filter(pk=campaign).values_list("first_armed_ms", flat=True).first()
        )
        sending.register_cards()
        find.register()
        register_campaign_emails(email_page.render_email)
        add_use_finder(category.campaigns_using)
        register_use_finder(template_uses.campaigns_using)
        register_use_finder(template_uses.schedules_using)
        jobs.register_reader(Import.Kind.LIST, uploads.read)
        # the package of imports does not know the channels, which a row of consents may name
        jobs.register_reader(Import.Kind.CONSENTS, lambda job, file: jobs.read_consents(job, file, channels()))
        recheck.register_policies(policies.policies)
        messages.register_replaced_keys(corrections.replaced_keys)
        register_campaign_lookup(digest_items.digest_items)
        register_eraser("armed_messages", erase)
        register_eraser("schedules", personal.erase)
        register_exporter("schedules", personal.exported)
        approvals_and_drafts.register_cards()
        stored.register_count(variants.PARTS, variants.count_parts)
        registry.register_preparation(retention.count_finally, first=True)
        registry.register_preparation(retention.forget_armings, first=True)
        partitions.register_hold(partitions.LEDGER, retention.HOLD)
        registry.register(retention.CampaignMessages())
        readers.register(facts.read_campaigns)
        doctor.register_checks()
