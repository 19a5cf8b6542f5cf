from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_import"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditlog",
            name="chain",
            field=models.BinaryField(max_length=40, null=True),
        ),
        migrations.AddIndex(
            model_name="auditlog",
            index=models.Index(
                condition=models.Q(("chain__isnull", False)), fields=["tenant", "chain"], name="audit_log_chain"
            ),
        ),
    ]
