"""A resume and a posting that several tests use."""

from datetime import date

TODAY = date(2026, 3, 1)

RESUME = """\
DANA VOSS
Backend Engineer
dana.voss@mail.example | +49 30 555 0199 | github.com/danavoss

SUMMARY
Backend engineer who keeps payment systems running.

SKILLS
Languages: Java, Python, SQL
Tools: Docker, k8s, Grafana

EXPERIENCE

Backend Engineer | Kastell Pay | Berlin | Mar 2021 - Present
- Assisted in moving 12 services to Kubernetes
- Wrote a Kafka consumer in Python that handles 3,000 events a second
- Answered support tickets

Junior Developer | Brenner Software GmbH | Leipzig | Jan 2019 - Feb 2021
- Built REST APIs with Spring Boot and PostgreSQL
- Reduced nightly build time by 35%

EDUCATION

Bachelor of Science in Computer Science | Leipzig University | 2018

CERTIFICATIONS
- Certified Kubernetes Administrator (2023)
"""

POSTING = """\
Senior Backend Engineer

About us: Lumen Freight moves parcels and is a great place to work for everybody who likes parcels.

Responsibilities:
- Design and run Python services that talk to Kafka
- Mentor colleagues in code reviews

Requirements:
- 5+ years of experience in software development
- Python, PostgreSQL and Kubernetes
- Experience with Terraform or Ansible
- Bachelor's degree in Computer Science or equivalent experience
- Good communication skills

Nice to have:
- Knowledge of Grafana
- Rust

Benefits:
- Dental insurance
"""
