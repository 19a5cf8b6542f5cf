"""What the operator of an installation sees of campaigns and does about them: findings of the doctor, metrics, the
backlog of a queue, and the hold after the restore of a backup."""
